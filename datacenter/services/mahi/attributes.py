"""The attributes an operator may set on an account, and their checks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from datacenter.restify import RestError

LOGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9_.@-]{1,31}")


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


SETTABLE: dict[str, Callable[[Any], bool]] = {
    "email": _text,
    "company": _text,
    "cn": _text,
    "sn": _text,
    "givenname": _text,
    "phone": _text,
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


def check(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes when all may be set; None takes one away. Raises 409 InvalidArgument."""
    for name, value in attributes.items():
        accepts = SETTABLE.get(name)
        if accepts is None:
            raise RestError(409, "InvalidArgument", f"an account has no attribute {name}")
        if value is not None and not accepts(value):
            raise RestError(409, "InvalidArgument", f"{name} is invalid")
    return attributes
