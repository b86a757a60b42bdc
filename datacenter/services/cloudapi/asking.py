"""What a request asks for: query and body in one bag, as CloudAPI reads them."""

from __future__ import annotations

from typing import Any

from flask import request

from datacenter.restify import RestError, body, params
from datacenter.services.cloudapi import presigned


def asked() -> dict[str, Any]:
    """Query and body, without what the path names and what signs a URL. Raises 400 InvalidContent."""
    if not isinstance(body(), dict):
        raise RestError(400, "InvalidContent", "body must be a JSON object")
    others = {*(request.view_args or {}), *(presigned.FIELDS if presigned.is_signed(request.args) else ())}
    return {name: value for name, value in params().items() if name not in others}
