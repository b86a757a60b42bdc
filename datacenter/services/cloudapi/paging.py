"""Lists in stretches, as CloudAPI gives them out."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from datacenter.restify import RestError, reply

QUERY_LIMIT = 1000


def page(found: list[dict[str, Any]]) -> Response:
    """A stretch of a list, with the headers that say how long the whole is."""
    offset, limit = _number("offset", 0), _number("limit", QUERY_LIMIT)
    if not 1 <= limit <= QUERY_LIMIT:
        raise RestError(409, "InvalidArgument", f"limit must be a number between 1 and {QUERY_LIMIT}")
    shown = found[offset : offset + limit]
    return reply(shown, x_resource_count=str(len(found)), x_query_limit=str(limit))


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal():
        raise RestError(409, "InvalidArgument", f"{name} must be a number")
    return int(text)
