"""Signed URLs: a signature in the query that stands in for the Authorization header until it expires.

Signed are, a line each: the methods it is good for, the Host header, the path, and the sorted query without the
signature::

    GET
    cloudapi.example.com
    /jdoe/machines
    algorithm=rsa-sha256&expires=1700000000&keyId=%2Fjdoe%2Fkeys%2F...
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

from datacenter.restify import RestError
from datacenter.services.cloudapi import signature

REQUIRED = ("algorithm", "expires", "keyId", "signature")
FIELDS = frozenset((*REQUIRED, "method", "role"))
"""Parameters that are the signature's and not the route's."""


def is_signed(query: Mapping[str, str]) -> bool:
    """Whether a query carries a signature, or a part of one. Then it must carry all of it."""
    return any(query.get(name) for name in REQUIRED)


def read(query: Mapping[str, str], method: str) -> signature.Credentials:
    """What a signed query claims. Raises 400 BadRequest for one that is not whole, or not for this method, or old."""
    missing = [name for name in REQUIRED if not query.get(name)]
    if missing:
        raise _bad(f'parameters "{", ".join(missing)}" are required')
    if method not in _methods(query, method):
        raise _bad(f"{method} was not a signed method")
    if not query["expires"].isdecimal():
        raise _bad("expires is invalid")
    if time.time() > int(query["expires"]):
        raise _bad("request expired")
    return signature.claim(query["keyId"], query["algorithm"], query["signature"])


def text(query: Mapping[str, str], method: str, host: str, path: str) -> bytes:
    """The bytes that were signed."""
    names = sorted((name for name in query if name.lower() != "signature"), key=lambda name: (name.lower(), name))
    pairs = "&".join(f"{_quoted(name)}={_quoted(query[name])}" for name in names)
    return "\n".join((",".join(_methods(query, method)), host, path, pairs)).encode()


def _methods(query: Mapping[str, str], method: str) -> list[str]:
    return sorted(name.strip() for name in (query.get("method") or method).split(","))


def _quoted(value: str) -> str:
    return quote(value, safe="-_.~")


def _bad(told: str) -> RestError:
    return RestError(400, "BadRequest", told)
