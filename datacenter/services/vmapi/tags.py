"""Tags with a meaning of their own: Triton's, which have types, and Docker's, which only provisioning may set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Tags = Mapping[str, Any]

DNS_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})*", re.IGNORECASE)
DOCKER = re.compile(r"sdc_docker|docker:label:(triton|(com|io|org)\.docker(project)?)\..*", re.DOTALL)


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean"


def _number(value: Any) -> str | None:
    return None if isinstance(value, (int, float)) and not isinstance(value, bool) else "must be a number"


def _name(value: Any) -> str | None:
    return _text(value) or (None if len(value) <= 255 and DNS_NAME.fullmatch(value) else "must be a DNS name")


def _services(value: Any) -> str | None:
    """Names with commas between them; ports, priorities and weights after colons are CNS's business."""
    if not isinstance(value, str):
        return "must be a string"
    names = [service.strip().partition(":")[0] for service in value.split(",")]
    unsafe = next((name for name in names if _name(name)), None)
    return None if unsafe is None else f'"{unsafe}" is not DNS safe'


TRITON: dict[str, Callable[[Any], str | None]] = {
    "triton.cns.services": _services,
    "triton.cns.disable": _flag,
    "triton.cns.reverse_ptr": _name,
    "triton.cmon.groups": _text,
    "triton.network.public": _text,
    "triton.placement.exclude_virtual_servers": _flag,
    "triton._test.string": _text,
    "triton._test.number": _number,
    "triton._test.boolean": _flag,
}
"""Triton's own tags; each check gives a complaint or None."""


def complaints(tags: Tags) -> list[str]:
    """What is wrong with tags of Triton's own name."""
    found = []
    for key, value in tags.items():
        if key.startswith("triton."):
            check = TRITON.get(key)
            if check is None:
                found.append(f'Unrecognized special triton tag "{key}"')
            elif told := check(value):
                found.append(f'"{key}" {told}')
    return found


def is_special(key: str) -> bool:
    return DOCKER.fullmatch(key) is not None


def special(tags: Tags) -> dict[str, Any]:
    """Those by which Docker knows its own VMs."""
    return {key: value for key, value in tags.items() if is_special(key)}


def tampering(before: Tags, after: Tags) -> list[str]:
    """What a change of tags does to special ones, which stay as they were made."""
    changed = [key for key in after if is_special(key) and (key not in before or before[key] != after[key])]
    gone = [key for key in before if is_special(key) and key not in after]
    return [f'Special tag "{key}" not supported' for key in changed] + [
        f'Special tag "{key}" may not be deleted' for key in gone
    ]
