"""Registry credentials that a Docker client sends along."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from gateway.call import Call
from gateway.errors import InvalidParameter


def registry_auth(call: Call) -> dict[str, Any]:
    """The entry of X-Registry-Auth; empty when there is none that can be read, as for dockerd."""
    try:
        parsed = _decoded(call.headers.get("x-registry-auth", ""))
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def registry_headers(call: Call) -> dict[str, str]:
    """Docker sends URL-safe base64, IMGAPI reads the standard alphabet. Raises InvalidParameter."""
    headers: dict[str, str] = {}
    for name in ("x-registry-auth", "x-registry-config"):
        try:
            parsed = _decoded(call.headers.get(name, ""))
        except ValueError as error:
            raise InvalidParameter(f"invalid {name} header: not base64 of JSON") from error
        if parsed:
            headers[name] = base64.b64encode(msgspec.json.encode(parsed)).decode()
    return headers


def _decoded(text: str) -> Any:
    """Raises ValueError: bad base64 and bad JSON are both, and so is JSON that is nested without end."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if text else {}
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
