"""Which events a client asked for: a window of time and filters. Pure. Facts: moby's daemon/events/filter.go."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from gateway.errors import InvalidParameter
from gateway.state.event_log import Happening
from translators.filters import Filters

Test = Callable[[Happening], bool]

TYPES = frozenset(
    {
        "builder",
        "config",
        "container",
        "daemon",
        "image",
        "network",
        "node",
        "plugin",
        "secret",
        "service",
        "volume",
    }
)
_BY_NAME = ("container", "daemon", "plugin", "volume", "network", "node", "service", "secret", "config")
ACCEPTED = frozenset({*_BY_NAME, "event", "image", "label", "scope", "type"})
_WORDY = frozenset({"health_status", "exec_create", "exec_start"})
"""Actions that say more after a colon, so that a filter may name their beginning."""
_SECONDS = re.compile(r"(\d+)(?:\.(\d{1,9})\d*)?")
_NANO = 1_000_000_000


def moment(text: str) -> int | None:
    """Read a time as the CLI sends it, ``seconds.nanoseconds``, or RFC 3339, into nanoseconds; None for no text."""
    if not text:
        return None
    match = _SECONDS.fullmatch(text)
    if match and len(match[1]) < 12:
        return int(match[1]) * _NANO + int((match[2] or "0").ljust(9, "0"))
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid time: {text}: must be seconds since 1970, or RFC 3339") from error
    whole = told.replace(microsecond=0).timestamp()
    return int(whole) * _NANO + told.microsecond * 1000


def window(since: str, until: str) -> tuple[int | None, int | None]:
    """Read both ends of the window. Raises InvalidParameter."""
    begin, end = moment(since), moment(until)
    if begin is not None and end is not None and end < begin:
        raise InvalidParameter(f"`since` time ({since}) cannot be after `until` time ({until})")
    return begin, end


def chooser(filters: Filters) -> Test:
    """Make one test of all filters; values of one are alternatives, save labels, which must all be there.

    Raises InvalidParameter for a type and a scope that events do not have.
    """
    for key, known in (("type", TYPES), ("scope", frozenset({"local", "swarm"}))):
        for value in filters.get(key, ()):
            if value not in known:
                raise InvalidParameter(f"invalid filter '{key}={value}'")
    tests = [_test(key, values) for key, values in filters.items()]
    return lambda what: all(test(what) for test in tests)


def _test(key: str, values: list[str]) -> Test:
    if key in _BY_NAME:
        begins = tuple(values)
        return lambda what: what.actor_id.startswith(begins) or what.attributes.get("name", "").startswith(begins)
    wanted = frozenset(values)
    tests: dict[str, Test] = {
        "type": lambda what: what.type in wanted,
        "scope": lambda _what: "local" in wanted,
        "event": lambda what: _is_action(what.action, wanted),
        "image": lambda what: bool(_image_names(what) & wanted),
        "label": lambda what: all(_has_label(what, value) for value in wanted),
    }
    return tests[key]


def _is_action(action: str, wanted: frozenset[str]) -> bool:
    return action in wanted or (action.partition(":")[0] in wanted & _WORDY)


def _image_names(what: Happening) -> set[str]:
    """The names an event's image goes by; a container's event is also one of its image."""
    name = what.attributes.get("name" if what.type == "image" else "image", "")
    return {what.actor_id, name, _without_tag(what.actor_id), _without_tag(name)}


def _without_tag(reference: str) -> str:
    """Cut off tag and digest; a colon before the last slash is that of a port."""
    reference = reference.partition("@")[0]
    head, colon, tail = reference.rpartition(":")
    return head if colon and "/" not in tail else reference


def _has_label(what: Happening, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in what.attributes and (not equals or what.attributes[key] == value)
