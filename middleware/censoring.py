"""Take secrets out of what is written down about a call. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

CENSORED = "(censored)"
SECRETS = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "identitytoken",
        "password",
        "proxyauthorization",
        "registrytoken",
        "secret",
        "token",
        "xauthtoken",
        "xregistryauth",
        "xregistryconfig",
    }
)
"""Names of fields, headers and parameters whose values are secret, in lower case, without ``-`` and ``_``."""
_WHOLLY = frozenset({"buildargs", "xregistryconfig"})
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def censored(value: Any, name: str = "") -> Any:
    """Return a copy in which secrets are replaced: by their names, credentials in URLs, values of environments.

    Of an environment the names stay. ``name`` is what the value is called where it stands.
    """
    plain = name.lower().replace("-", "").replace("_", "")
    if plain in SECRETS | _WHOLLY and value not in (None, "", [], {}):
        return CENSORED
    if isinstance(value, msgspec.Struct):
        return censored(msgspec.to_builtins(value), name)
    if isinstance(value, Mapping):
        return {str(key): censored(each, str(key)) for key, each in value.items()}
    if isinstance(value, str):
        return _text(value, plain)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [censored(each, name) for each in value]
    return value


def _text(value: str, name: str) -> str:
    if name == "env":
        variable, equals, _ = value.partition("=")
        return f"{variable}={CENSORED}" if equals else value
    if name == "changes" and value.lstrip()[:4].upper() == "ENV ":
        return f"ENV {CENSORED}"
    return _CREDENTIALS.sub(f"{CENSORED}@", value)
