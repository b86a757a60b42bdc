"""Docker's labels as SDC tags, and back.

A label ``k`` is the tag ``docker:label:k``; labels that begin with ``triton.`` are Triton's own tags, of their own
types; ``com.joyent.package`` chooses a package and becomes no tag at all. Facts: docker-on-triton 4.13, 5.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateway.errors import InvalidParameter

PACKAGE_LABEL = "com.joyent.package"
NETWORK_LABEL = "triton.network.public"
LABEL_TAG = "docker:label:"
_TRITON = "triton."

Tag = str | bool | int | float


def _boolean(label: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError(f'Triton tag "{label}" value must be "true" or "false": "{value}"')
    return value == "true"


def _text(_label: str, value: str) -> str:
    return value


def _number(label: str, value: str) -> int | float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f'Triton tag "{label}" value must be a number: "{value}"') from None
    return int(number) if number.is_integer() else number


_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-.]{0,62}")
_DNS_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?")
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,100}")


def _services(label: str, value: str) -> str:
    """``name[:port][:priority=n][:weight=n]``, separated by commas."""
    for service in value.split(","):
        name, *rest = service.strip().split(":")
        if not _SERVICE.fullmatch(name):
            raise ValueError(f'Triton tag "{label}" has an invalid service name: "{name}"')
        for position, part in enumerate(rest):
            key, equals, number = part.partition("=")
            known = key in {"priority", "weight"} if equals else position == 0
            digits = number if equals else part
            if not known or not digits.isascii() or not digits.isdigit() or int(digits) > 65535:
                raise ValueError(f'Triton tag "{label}" has an invalid port, priority or weight: "{part}"')
    return value


def _reverse_ptr(label: str, value: str) -> str:
    if len(value) > 255 or not _DNS_NAME.fullmatch(value):
        raise ValueError(f'Triton tag "{label}" value must be a DNS name: "{value}"')
    return value


def _groups(label: str, value: str) -> str:
    groups = value.split(",")
    if len(groups) > 100 or len(set(groups)) != len(groups) or not all(_GROUP.fullmatch(g) for g in groups):
        raise ValueError(f'Triton tag "{label}" value must be up to 100 different group names: "{value}"')
    return value


_KNOWN: dict[str, Callable[[str, str], Tag]] = {
    "triton.cns.disable": _boolean,
    "triton.cns.services": _services,
    "triton.cns.reverse_ptr": _reverse_ptr,
    NETWORK_LABEL: _text,
    "triton.cmon.groups": _groups,
    "triton.placement.exclude_virtual_servers": _boolean,
    "triton._test.string": _text,
    "triton._test.number": _number,
    "triton._test.boolean": _boolean,
}


def to_tags(labels: Mapping[str, str]) -> dict[str, Tag]:
    """Make tags of labels. Raises InvalidParameter that names every bad label at once."""
    tags: dict[str, Tag] = {}
    problems = []
    for label, value in labels.items():
        if label == PACKAGE_LABEL:
            continue
        if not label.startswith(_TRITON):
            tags[LABEL_TAG + label] = value
        elif label not in _KNOWN:
            problems.append(f'Unrecognized special triton tag "{label}"')
        else:
            try:
                tags[label] = _KNOWN[label](label, value)
            except ValueError as error:
                problems.append(str(error))
    if problems:
        raise InvalidParameter(f"invalid label{'s' if len(problems) > 1 else ''}: {'; '.join(problems)}")
    return tags


def from_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Make labels of tags; values become text, as Docker's clients accept no other. ``triton.*`` tags win."""
    labels = {key.removeprefix(LABEL_TAG): _shown(value) for key, value in tags.items() if key.startswith(LABEL_TAG)}
    labels.update({key: _shown(value) for key, value in tags.items() if key.startswith(_TRITON)})
    return labels


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
