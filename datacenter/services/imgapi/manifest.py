"""What an image manifest may hold, and how it is shown. Facts: IMGAPI 4.13.1 as captured; sdc-apis 6.3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from datacenter.restify import RestError, encode, is_uuid

Manifest = dict[str, Any]

TYPES = ("zone-dataset", "lx-dataset", "zvol", "docker", "lxd", "bhyve", "other")
SYSTEMS = ("smartos", "windows", "linux", "bsd", "illumos", "other")

_ORDER = (
    "v",
    "uuid",
    "owner",
    "name",
    "version",
    "state",
    "error",
    "disabled",
    "public",
    "published_at",
    "type",
    "os",
    "files",
    "acl",
    "description",
    "homepage",
    "eula",
    "icon",
    "origin",
    "requirements",
    "users",
    "generate_passwords",
    "inherited_directories",
    "nic_driver",
    "disk_driver",
    "cpu_type",
    "image_size",
    "billing_tags",
    "traits",
    "tags",
)
_REQUIRED = ("name", "version", "type", "os")
_FILE_FIELDS = ("sha1", "size", "compression", "dataset_guid")
CHANGEABLE = frozenset(_ORDER) - {"v", "uuid", "owner", "state", "error", "published_at", "origin", "icon"}


def view(image: Manifest, *, admin: bool = False) -> Manifest:
    """Show a stored image as clients see it; ``admin`` adds where each file is kept."""
    shown = {key: image[key] for key in _ORDER if image.get(key) not in (None, "")}
    fields = (*_FILE_FIELDS, "stor") if admin else _FILE_FIELDS
    shown["files"] = [{key: file[key] for key in fields if key in file} for file in image["files"]]
    return shown


def etag(image: Manifest) -> str:
    return hashlib.sha1(encode(view(image)), usedforsecurity=False).hexdigest()


def check(fields: Mapping[str, Any], *, whole: bool) -> None:
    """Raise ValidationFailed unless these fields are fit for a manifest; ``whole`` asks for the required ones."""
    errors: list[dict[str, Any]] = []
    if whole:
        errors += [{"field": f, "code": "MissingParameter"} for f in _REQUIRED if not fields.get(f)]
    for field, value in fields.items():
        fits, meant = _RULES.get(field, (_anything, ""))
        if value is not None and not fits(value):
            errors.append({"field": field, "code": "Invalid", "message": f"not {meant}"})
    if errors:
        names = ", ".join(error["field"] for error in errors)
        raise RestError(422, "ValidationFailed", f"invalid image data: {names}", errors)


def _anything(_: Any) -> bool:
    return True


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 512


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _uuids(value: Any) -> bool:
    return isinstance(value, list) and all(is_uuid(item) for item in value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "uuid": (is_uuid, "a UUID"),
    "v": (lambda value: value in (1, 2), "a manifest version we know"),
    "owner": (is_uuid, "a UUID"),
    "origin": (is_uuid, "a UUID"),
    "name": (_text, "a string of at most 512 characters"),
    "version": (_text, "a string of at most 512 characters"),
    "type": (lambda value: value in TYPES, f"one of {', '.join(TYPES)}"),
    "os": (lambda value: value in SYSTEMS, f"one of {', '.join(SYSTEMS)}"),
    "public": (_flag, "a boolean"),
    "disabled": (_flag, "a boolean"),
    "acl": (_uuids, "an array of UUIDs"),
    "tags": (_object, "an object"),
    "requirements": (_object, "an object"),
    "traits": (_object, "an object"),
    "billing_tags": (_texts, "an array of strings"),
    "files": (lambda value: isinstance(value, list) and all(map(_object, value)), "an array of objects"),
}
