"""SSH keys in CloudAPI's words, and the routes to those of one holder: an account, or a sub-user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response

from datacenter.restify import RestError, not_found, reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.paging import page
from datacenter.services.mahi import keyring

Holder = Mapping[str, Any]
Shown = dict[str, Any]


def views(holder: Holder) -> list[Shown]:
    return [
        {"name": name, "fingerprint": fingerprint, "key": holder["openssh"].get(fingerprint, "")}
        for name, fingerprint in holder["key_names"].items()
    ]


def view(holder: Holder, name: str) -> Shown:
    """One key, by name or fingerprint. Raises 404."""
    for key in views(holder):
        if name in (key["name"], key["fingerprint"]):
            return key
    raise not_found(f"{name} does not exist")


def listed(holder: Holder) -> Response:
    return page(views(holder))


def create(holder: Holder, add: Callable[[str, str | None], Holder], path: str) -> Response:
    """Add the key that the request brings; ``path`` is where the keys are. Raises 409 InvalidArgument."""
    given = asked()
    line, name = given.get("key"), given.get("name")
    if not isinstance(line, str) or not isinstance(name, str | None):
        raise RestError(409, "InvalidArgument", "key must be an OpenSSH public key, name a string")
    if name in holder["key_names"]:
        raise RestError(409, "InvalidArgument", f"a key of the name {name} exists already")
    fingerprint = keyring.read(line).fingerprint
    if fingerprint in holder["keys"]:
        raise RestError(409, "InvalidArgument", "the account has this key already")
    shown = view(add(line, name), fingerprint)
    return reply(shown, 201, Location=f"{path}/{shown['name']}")
