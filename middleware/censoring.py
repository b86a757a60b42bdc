"""Take secrets out of what is written down about a call. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
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
_HIDDEN = SECRETS | _WHOLLY
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def censored(value: Any, name: str = "") -> Any:
    """Return a copy in which secrets are replaced: by their names, credentials in URLs, values of environments.

    Of an environment the names stay. ``name`` is what the value is called where it stands.
    """
    plain = _plain(name)
    if plain in _HIDDEN and value not in (None, "", [], {}):
        return CENSORED
    if isinstance(value, str):
        return _text(value, plain)
    if value is None or isinstance(value, int | float | bytes | bytearray):
        return value
    if isinstance(value, msgspec.Struct):
        return censored(msgspec.to_builtins(value), name)
    if isinstance(value, Mapping):
        return {str(key): censored(each, str(key)) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [censored(each, name) for each in value]
    return value


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _text(value: str, name: str) -> str:
    if name == "env":
        variable, equals, _ = value.partition("=")
        return f"{variable}={CENSORED}" if equals else value
    if name == "changes" and value.lstrip()[:4].upper() == "ENV ":
        return f"ENV {CENSORED}"
    return _CREDENTIALS.sub(f"{CENSORED}@", value) if "://" in value else value
