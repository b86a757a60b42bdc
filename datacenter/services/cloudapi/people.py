"""Accounts and sub-users in CloudAPI's words, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from datacenter.restify import RestError, truthy

Shown = dict[str, Any]

_WORDS = {
    "companyName": "company",
    "firstName": "givenname",
    "lastName": "sn",
    "address": "address",
    "postalCode": "postalcode",
    "city": "city",
    "state": "state",
    "country": "country",
    "phone": "phone",
}
_OTHER_WORDS = {"email": "email", "company": "company", "givenName": "givenname", "sn": "sn", "cn": "cn"}


def person(found: Mapping[str, Any]) -> Shown:
    """An account or sub-user as it sees itself."""
    shown = {"id": found["uuid"], "login": found["login"], "email": found["email"]}
    shown |= {word: found[name] for word, name in _WORDS.items() if found.get(name)}
    return {**shown, "created": found["created"], "updated": found["updated"]}


def account(found: Mapping[str, Any]) -> Shown:
    return {**person(found), "triton_cns_enabled": found.get("triton_cns_enabled", False)}


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a request wants changed; an empty text takes one away. Raises 409 InvalidArgument."""
    words = {**_OTHER_WORDS, **_WORDS}
    changes: dict[str, Any] = {words[word]: value or None for word, value in given.items() if word in words}
    if "email" in changes and changes["email"] is None:
        raise RestError(409, "InvalidArgument", "email is required")
    if "givenname" in changes and "sn" in changes and changes["givenname"] and changes["sn"]:
        changes.setdefault("cn", f"{changes['givenname']} {changes['sn']}")
    return changes


def read_account(given: Mapping[str, Any]) -> dict[str, Any]:
    """As ``read``, with whether the account's containers get names in DNS."""
    changes = read(given)
    if "triton_cns_enabled" in given:
        value = given["triton_cns_enabled"]
        if value not in (True, False, "true", "false"):
            raise RestError(409, "InvalidArgument", "triton_cns_enabled must be true or false")
        changes["triton_cns_enabled"] = truthy(value)
    return changes


def check_password(password: Any) -> None:
    """Hold a password to the directory's rules. It is not kept: nothing here signs in with one. Raises 409."""
    good = isinstance(password, str) and len(password) >= 7 and re.search(r"[a-zA-Z]", password)
    if not good or not re.search(r"[0-9]", str(password)):
        raise RestError(409, "InvalidArgument", "password must have at least 7 characters, with letters and digits")


def missing(names: list[str]) -> RestError:
    told = f"Request is missing required parameters: {', '.join(f'{name} is required' for name in names)}"
    return RestError(409, "MissingParameter", told)
