"""What a package may hold: types, limits, what must be there, what never changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from datacenter.restify import RestError, is_uuid

_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_\-.]+)?[a-zA-Z0-9]")
_REPEATED = re.compile(r"[-_.]{2}")

NAME_RULE = (
    "must match /^[a-zA-Z0-9]([a-zA-Z0-9_\\-.]+)?[a-zA-Z0-9]$/ and not contain repeated '-', '_' or '.' characters"
)

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


def _name(value: Any) -> str | None:
    good = isinstance(value, str) and _NAME.fullmatch(value) and not _REPEATED.search(value)
    return None if good else NAME_RULE


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a string"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean"


def _integer(minimum: int, multiple: int = 1) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be an integer"
        if value < minimum:
            return f"must be greater or equal to {minimum}"
        return None if value % multiple == 0 else f"must be a multiple of {multiple}"

    return check


def _uuid(value: Any) -> str | None:
    return None if is_uuid(value) else "must be a UUID"


def _uuids(value: Any) -> str | None:
    good = isinstance(value, list) and all(is_uuid(item) for item in value)
    return None if good else "must be an array of UUIDs"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "must be a hash"


def _objects(value: Any) -> str | None:
    good = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return None if good else "must be an array of hashes"


def _strings(value: Any) -> str | None:
    good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if good else "must be an array of strings"


ATTRIBUTES: dict[str, Check] = {
    "uuid": _uuid,
    "name": _name,
    "version": _string,
    "active": _boolean,
    "vcpus": _integer(1),
    "cpu_cap": _integer(20),
    "max_lwps": _integer(250),
    "max_physical_memory": _integer(64),
    "max_swap": _integer(128),
    "quota": _integer(1024, multiple=1024),
    "zfs_io_priority": _integer(0),
    "fss": _integer(0),
    "brand": _string,
    "os": _string,
    "flexible_disk": _boolean,
    "disks": _objects,
    "owner_uuids": _uuids,
    "networks": _uuids,
    "default": _boolean,
    "group": _string,
    "common_name": _string,
    "description": _string,
    "traits": _object,
    "min_platform": _object,
    "fs_allowed": _strings,
    "billing_tag": _string,
    "parent": _string,
    "alloc_server_spread": _string,
    "overprovision_cpu": _integer(0),
    "overprovision_memory": _integer(0),
    "overprovision_storage": _integer(0),
    "overprovision_network": _integer(0),
    "overprovision_io": _integer(0),
    "hidden": _boolean,
    "ufds_io_priority": _integer(0),
    "created_at": lambda _: None,
    "updated_at": lambda _: None,
    "urn": _string,
    "v": _integer(1),
}
"""In the order in which a package is written out."""

OBJECTS = frozenset(name for name, check in ATTRIBUTES.items() if check in (_object, _objects))
"""Attributes that nothing is found by."""

REQUIRED = (
    "active",
    "cpu_cap",
    "max_lwps",
    "max_physical_memory",
    "max_swap",
    "name",
    "quota",
    "version",
    "zfs_io_priority",
)

IMMUTABLE = frozenset(
    (
        "uuid",
        "name",
        "version",
        "os",
        "brand",
        "quota",
        "max_physical_memory",
        "max_swap",
        "cpu_cap",
        "max_lwps",
        "zfs_io_priority",
        "vcpus",
        "disks",
        "flexible_disk",
    )
)
"""Attributes that VMs were made by; changing them needs ``force=true``."""


def validate(package: dict[str, Any], told: str = "Package is invalid") -> dict[str, Any]:
    """Check a whole package and return it in the written order. Raises 409 InvalidArgument."""
    missing = [
        {"field": field, "code": "Missing", "message": "is missing"} for field in REQUIRED if package.get(field) is None
    ]
    invalid = []
    for field, value in package.items():
        check = ATTRIBUTES.get(field)
        wrong = "is not supported" if check is None else value is not None and check(value)
        if wrong:
            invalid.append({"field": field, "code": "Invalid", "message": wrong})
    if not invalid and not missing and package["max_swap"] < package["max_physical_memory"]:
        text = "must be greater or equal to max_physical_memory"
        invalid.append({"field": "max_swap", "code": "Invalid", "message": text})
    if missing or invalid:
        raise RestError(409, "InvalidArgument", told, missing + invalid)
    return {field: package[field] for field in ATTRIBUTES if package.get(field) is not None}


def read(field: str, value: Any) -> Any:
    """Turn the text of a query string into the attribute's own type; other values stay."""
    if not isinstance(value, str) or ATTRIBUTES.get(field) in (None, _string, _name, _uuid):
        return value
    if ATTRIBUTES[field] is _boolean:
        return {"true": True, "false": False}.get(value, value)
    return int(value) if value.isdecimal() else value
