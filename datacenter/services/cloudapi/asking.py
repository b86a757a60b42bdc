"""What a request asks for: query and body in one bag, as CloudAPI reads them."""

from __future__ import annotations

from typing import Any

from flask import request

from datacenter.restify import RestError, body, params


def asked() -> dict[str, Any]:
    """Query and body, without what the path names. Raises 400 InvalidContent."""
    if not isinstance(body(), dict):
        raise RestError(400, "InvalidContent", "body must be a JSON object")
    return {name: value for name, value in params().items() if name not in (request.view_args or {})}
