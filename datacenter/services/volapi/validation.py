"""What VOLAPI's requests may hold. All that is wrong with one is told at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from datacenter.restify import RestError, is_uuid

Doc = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]+")
NAME_MAX = 256
TYPE = "tritonnfs"
STATES = ("creating", "ready", "failed", "deleting")

_SEARCHED_NAME = re.compile(r"\*?[a-zA-Z0-9_.\-]+\*?|\*\*?")
_SIZE = re.compile(r"[1-9][0-9]*")
_NAME_TEXT = r"/^[a-zA-Z0-9][a-zA-Z0-9_\.\-]+$/"
_SIZE_TEXT = "/^[1-9][0-9]*$/"


class Causes:
    """The causes for which a request is refused."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, *texts: str) -> None:
        self._texts += texts

    def expect(self, given: Doc, *, known: Collection[str], needed: Collection[str] = ()) -> None:
        """Note what is missing, then what is not known."""
        self.add(*(f"missing mandatory parameter: {name}" for name in needed if name not in given))
        self.add(*(f"invalid parameter: {name}" for name in given if name not in known))

    def uuids(self, given: Doc, *names: str) -> None:
        """Note those of the named parameters that are there and are no UUIDs."""
        self.add(*(text for name in names if name in given for text in uuid(given[name], name)))

    def check(self) -> None:
        """Raise ValidationError when there is any."""
        if self._texts:
            told = ", ".join(f"Error: {text}" for text in self._texts)
            raise RestError(409, "ValidationError", f"Validation error, causes: {told}")


# each of these returns what is wrong with one value, which mostly is nothing


def uuid(value: Any, name: str) -> list[str]:
    return [] if is_uuid(value) else [f"{shown(value)} is not a valid {name} UUID"]


def volume_name(value: Any) -> list[str]:
    if not isinstance(value, str):
        return ["volume name must be a string"]
    wrong = [] if NAME.fullmatch(value) else [f"volume name must match {_NAME_TEXT}"]
    return wrong if len(value) <= NAME_MAX else [*wrong, f"volume name is too long, max length is {NAME_MAX}"]


def searched_name(value: str) -> list[str]:
    return [] if _SEARCHED_NAME.fullmatch(value) else ["invalid value for name search parameter"]


def volume_type(value: Any) -> list[str]:
    return [] if value == TYPE else [f"Volume type: {shown(value)} is not supported"]


def size(value: Any) -> list[str]:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return []
    return [f'Volume size: "{shown(value)}" is not a valid volume size. Size must be a number > 0']


def searched_size(value: str) -> list[str]:
    return [] if _SIZE.fullmatch(value) else [f"invalid value for size search parameter, must match {_SIZE_TEXT}"]


def state(value: Any) -> list[str]:
    return [] if value in STATES else [f"Volume state: {shown(value)} is invalid"]


def dangling(value: Any) -> list[str]:
    if isinstance(value, bool):
        return []
    return [f'Dangling predicate: "{shown(value)}" is not a valid dangling predicate. must be either true or false']


def network(value: Any) -> list[str]:
    return [] if is_uuid(value) else [f"{shown(value)} is not a valid network UUID"]


def networks(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        return ["networks must be a non-empty array"]
    return [text for item in value for text in network(item)]


def labels(value: Any) -> list[str]:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return []
    return ["labels must be an object whose values are strings"]


def affinity(value: Any) -> list[str]:
    wrong = not isinstance(value, list) or not all(isinstance(rule, dict) for rule in value)
    return ["affinity must be an array of objects"] if wrong else []


def shown(value: Any) -> str:
    """A value as JavaScript puts it in a text."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return str(value).lower()
    return "[object Object]" if isinstance(value, dict) else str(value)
