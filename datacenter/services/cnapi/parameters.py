"""Check parameters as CNAPI does: by type, with one error for each field that is wrong, unknown ones refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from datacenter.clock import epoch
from datacenter.restify import RestError

Doc = dict[str, Any]
Rule = Callable[[Any], str | None]
"""What is wrong with a value, in CNAPI's words; None when nothing is."""

JS_TYPES = {
    type(None): "Null",
    bool: "Boolean",
    int: "Number",
    float: "Number",
    str: "String",
    list: "Array",
    dict: "Object",
}


def invalid(errors: list[tuple[str, str]], status: int = 500) -> RestError:
    """A refusal for fields and what is wrong with each."""
    told = [{"field": field, "code": "Invalid", "message": message} for field, message in errors]
    return RestError(status, "InvalidParameters", "Request parameters failed validation", told)


def check(asked: Mapping[str, Any], rules: Mapping[str, Rule], *, strict: bool = True) -> None:
    """Raise RestError: 409 InvalidArgument for unknown parameters, 500 InvalidParameters for values of a wrong form."""
    unknown = sorted(asked.keys() - rules.keys())
    if strict and unknown:
        raise RestError(409, "InvalidArgument", f"unknown parameters: {', '.join(unknown)}")
    errors = [(name, wrong) for name, rule in rules.items() if name in asked and (wrong := rule(asked[name]))]
    if errors:
        raise invalid(errors)


def string(value: Any) -> str | None:
    if not isinstance(value, str):
        return "value was not a string"
    return "value contains leading or trailing whitespace" if value != value.strip() else None


def boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "value was not true or false"


def number(value: Any) -> str | None:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if plain else "value was not a number"


def array(value: Any) -> str | None:
    return None if isinstance(value, list) else "value was not an array"


def mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else f"value is not an object. (was: [object {js_type(value)}])"


def share(value: Any) -> str | None:
    """A number from 0 to 1."""
    return number(value) or (None if 0 <= value <= 1 else "value was not between 0 and 1")


def moment(value: Any) -> str | None:
    """An ISO time."""
    try:
        epoch(value)
    except (TypeError, ValueError):
        return "value was not an ISO date"
    return None


def matching(pattern: str, name: str) -> Rule:
    """A text of a certain form; ``name`` is the parameter's, which the message tells."""
    form = re.compile(pattern, re.IGNORECASE)

    def rule(value: Any) -> str | None:
        return None if isinstance(value, str) and form.fullmatch(value) else f"Invalid value for param '{name}'"

    return rule


def flag(name: str) -> Rule:
    """A boolean in a query."""
    words = matching("true|false", name)
    return lambda value: None if isinstance(value, bool) else words(value)


def js_type(value: Any) -> str:
    return JS_TYPES.get(type(value), "Undefined")


def bounded(asked: Doc, name: str, default: int, least: int, most: int | None) -> int:
    """A page number. Raises RestError 400 for anything that is none in its range."""
    text = str(asked.get(name, default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        span = f"in the range {least}-{most} (inclusive)" if most is not None else f"at least {least}"
        raise invalid([(name, f"{name} must be {span}")], 400)
    return int(text)
