"""The attributes an operator may set on an account, and their checks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from datacenter.restify import RestError

LOGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9_.@-]{1,31}")
EMAIL = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*")
NAME = re.compile(r"[^\s,/][^,/\x00-\x1f]{0,254}")


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _limits(value: Any) -> bool:
    """UFDS's capilimit entries: ``{"datacenter": name, "limit": JSON text or list of JSON texts}``."""
    return isinstance(value, list) and all(
        isinstance(entry, dict) and _text(entry.get("datacenter")) and _limit_texts(entry.get("limit"))
        for entry in value
    )


def _limit_texts(value: Any) -> bool:
    try:
        return all(isinstance(json.loads(text), dict) for text in ([value] if _text(value) else value))
    except (TypeError, ValueError):
        return False


def _email(value: Any) -> bool:
    return isinstance(value, str) and bool(EMAIL.fullmatch(value))


PERSONAL: dict[str, Callable[[Any], bool]] = {
    "email": _email,
    "company": _text,
    "cn": _text,
    "sn": _text,
    "givenname": _text,
    "phone": _text,
    "address": _text,
    "postalcode": _text,
    "city": _text,
    "state": _text,
    "country": _text,
}
"""What accounts and sub-users may say of themselves."""

SETTABLE: dict[str, Callable[[Any], bool]] = {
    **PERSONAL,
    "approved_for_provisioning": _flag,
    "triton_cns_enabled": _flag,
    "disabled": _flag,
    "groups": _texts,
    "tenant": _text,
    "allowed_dcs": _texts,
    "limits": _limits,
    "default_network": _text,
}


def check_login(login: Any) -> str:
    """Return the login when it is one. Raises 409 InvalidArgument."""
    if not isinstance(login, str) or not LOGIN.fullmatch(login) or login == "my":
        raise RestError(409, "InvalidArgument", "login must be 2 to 32 letters, digits, '_', '.', '@' or '-'")
    return login


def check_name(name: Any) -> str:
    """Return the name of a role or policy when it is one. Raises 409 InvalidArgument."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == "true":
        raise RestError(409, "InvalidArgument", "name must be at most 255 characters other than ',' and '/'")
    return name


def check(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return an account's attributes when all may be set; None takes one away. Raises 409 InvalidArgument."""
    return _check(attributes, SETTABLE, "an account")


def check_personal(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a sub-user's attributes when all may be set; None takes one away. Raises 409 InvalidArgument."""
    return _check(attributes, PERSONAL, "a user")


def _check(attributes: dict[str, Any], known: dict[str, Callable[[Any], bool]], whose: str) -> dict[str, Any]:
    for name, value in attributes.items():
        accepts = known.get(name)
        if accepts is None:
            raise RestError(409, "InvalidArgument", f"{whose} has no attribute {name}")
        if value is not None and not accepts(value):
            raise RestError(409, "InvalidArgument", f"{name} is invalid")
    return attributes
