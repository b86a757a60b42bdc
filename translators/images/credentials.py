"""Registry credentials on their way from a Docker client to IMGAPI."""

from __future__ import annotations

import base64
import binascii

import msgspec

from gateway.call import Call
from gateway.errors import InvalidParameter


def registry_headers(call: Call) -> dict[str, str]:
    """Docker sends URL-safe base64, IMGAPI reads the standard alphabet. Raises InvalidParameter."""
    headers: dict[str, str] = {}
    for name in ("x-registry-auth", "x-registry-config"):
        given = call.headers.get(name, "")
        if not given:
            continue
        try:
            decoded = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
            parsed = msgspec.json.decode(decoded)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise InvalidParameter(f"invalid {name} header: not base64 of JSON") from error
        if parsed:
            headers[name] = base64.b64encode(msgspec.json.encode(parsed)).decode()
    return headers
