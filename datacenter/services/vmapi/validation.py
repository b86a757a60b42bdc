"""What a provisioning payload must be before anything is done about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from datacenter.restify import RestError, is_uuid
from datacenter.services.vmapi import tags
from datacenter.services.vmapi.networks import read_networks

Doc = dict[str, Any]

ALIAS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
ALIAS_MAX = 189
HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?")
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
VOLUME_MODES = ("rw", "ro")
VOLUME_TYPE = "tritonnfs"
BRANDS = frozenset({"bhyve", "joyent", "joyent-minimal", "kvm", "lx"})
LX_IMAGE_TYPES = frozenset({"lx-dataset", "docker", "lxd"})
MIN_SWAP = 256
NO_PACKAGE = "00000000-0000-0000-0000-000000000000"
UUID_FIELDS = ("uuid", "owner_uuid", "image_uuid", "billing_id", "server_uuid")
NUMBER_FIELDS = ("ram", "max_physical_memory", "max_swap", "cpu_cap", "cpu_shares", "quota", "max_lwps", "tmpfs",
                 "zlog_max_size", "vcpus", "zfs_io_priority")  # fmt: skip
FLAG_FIELDS = ("docker", "autoboot", "firewall_enabled", "indestructible_zoneroot", "delegate_dataset",
               "maintain_resolvers")  # fmt: skip
METADATA_FIELDS = ("customer_metadata", "internal_metadata", "tags")
LIST_FIELDS = ("resolvers", "filesystems", "volumes", "affinity", "firewall_rules")


class Problems:
    """The field errors of one request, told all at once."""

    def __init__(self) -> None:
        self.errors: list[Doc] = []

    def add(self, field: str, code: str, message: str | None = None) -> None:
        self.errors.append({"field": field, "code": code, **({"message": message} if message else {})})

    def missing(self, field: str) -> None:
        self.add(field, "MissingParameter")

    def invalid(self, field: str, message: str) -> None:
        self.add(field, "Invalid", message)

    def check(self, message: str = "Invalid VM parameters") -> None:
        """Raise RestError ValidationFailed when there is anything to tell."""
        if self.errors:
            raise RestError(409, "ValidationFailed", message, self.errors)


def refuse(field: str, code: str, message: str, sentence: str = "Invalid VM parameters") -> RestError:
    """A refusal over one field."""
    return RestError(409, "ValidationFailed", sentence, [{"field": field, "code": code, "message": message}])


def check_payload(payload: Doc) -> None:
    """Refuse a payload whose fields are missing or of the wrong form, with every field that is wrong."""
    problems = Problems()
    for field in ("owner_uuid", "brand", "networks", "image_uuid"):
        if payload.get(field) in (None, "", []):
            problems.missing(field)
    if payload.get("billing_id") is None and payload.get("ram") is None:
        problems.missing("ram")
    check_types(payload, problems)
    if payload.get("brand") is not None and str(payload["brand"]) not in BRANDS:
        problems.invalid("brand", f"Must be one of: {', '.join(sorted(BRANDS))}")
    if payload.get("networks"):
        try:
            read_networks(payload["networks"])
        except ValueError as error:
            problems.invalid("networks", str(error))
    _check_volumes(payload, problems)
    _check_rules(payload, problems)
    _check_locality(payload.get("locality"), problems)
    problems.check()


def check_types(payload: Doc, problems: Problems) -> None:
    """Check the fields that creations and updates have in common."""

    def each(fields: tuple[str, ...], valid: Callable[[Any], bool], message: str) -> None:
        for field in fields:
            if payload.get(field) is not None and not valid(payload[field]):
                problems.invalid(field, message)

    each(UUID_FIELDS, is_uuid, "Invalid UUID")
    each(NUMBER_FIELDS, _is_count, "Must be a non-negative number")
    each(FLAG_FIELDS, lambda value: isinstance(value, bool), "Must be a boolean")
    each(LIST_FIELDS, lambda value: isinstance(value, list), "Must be an array")
    for field in METADATA_FIELDS:
        if payload.get(field) is not None:
            check_metadata(field, payload[field], problems)
    alias = payload.get("alias")
    if alias is not None and not is_alias(alias):
        problems.invalid("alias", "Invalid alias")
    hostname = payload.get("hostname")
    if hostname is not None and not (isinstance(hostname, str) and _is_hostname(hostname)):
        problems.invalid("hostname", "Invalid hostname")
    swap = payload.get("max_swap")
    if isinstance(swap, (int, float)) and swap < MIN_SWAP:
        problems.invalid("max_swap", f"Must be at least {MIN_SWAP}")


def is_alias(alias: object) -> bool:
    return isinstance(alias, str) and len(alias) <= ALIAS_MAX and ALIAS.fullmatch(alias) is not None


def check_metadata(field: str, metadata: Any, problems: Problems) -> None:
    """Metadata is flat: strings, numbers and booleans by key; no passwords among a customer's."""
    if not isinstance(metadata, dict):
        problems.invalid(field, "Must be an object")
        return
    for key, value in metadata.items():
        if not isinstance(value, (str, int, float, bool)):
            problems.invalid(field, f"Forbidden {field} value type: {key}")
        if field == "customer_metadata" and key.endswith("_pw"):
            problems.invalid(field, f"Forbidden {field} key: {key}")
    if field == "tags":
        for complaint in tags.complaints(metadata):
            problems.invalid(field, complaint)


def check_image(payload: Doc, image: Doc | None) -> None:
    """Refuse an image that is unknown, not active, or none for this brand."""
    if image is None:
        raise refuse("image_uuid", "Invalid", "Image not found")
    if image.get("state", "active") != "active":
        raise refuse("image_uuid", "Invalid", f"Image state must be active (is {image['state']})")
    if payload["brand"] == "lx":
        if image.get("type") not in LX_IMAGE_TYPES:
            raise refuse("image_uuid", "Invalid", f"Image type {image.get('type')} is none for brand lx")
        if not payload.get("kernel_version") and not (image.get("tags") or {}).get("kernel_version"):
            raise refuse("kernel_version", "MissingParameter", "kernel_version is needed for brand lx")


def _check_volumes(payload: Doc, problems: Problems) -> None:
    for filesystem in payload.get("filesystems") or ():
        if not isinstance(filesystem, dict) or not filesystem.get("source") or not filesystem.get("target"):
            problems.invalid("filesystems", "Each needs a source and a target")
        elif not str(filesystem["target"]).startswith("/"):
            problems.invalid("filesystems", f"Target must be an absolute path: {filesystem['target']}")
    if isinstance(payload.get("volumes"), list):
        for volume in payload["volumes"]:
            _check_volume(volume, problems)


def _check_volume(volume: Any, problems: Problems) -> None:
    """One of the shared volumes: its name, where it is mounted, how."""
    if not isinstance(volume, dict):
        problems.invalid("volumes", "Each must be an object")
        return
    if not isinstance(volume.get("name"), str) or not VOLUME_NAME.fullmatch(volume["name"]):
        problems.invalid("volumes", "Each needs a valid name")
    if not isinstance(volume.get("mountpoint"), str) or not volume["mountpoint"].startswith("/"):
        problems.invalid("volumes", "Each needs a mountpoint that is an absolute path")
    if volume.get("mode", "rw") not in VOLUME_MODES:
        problems.invalid("volumes", f"Invalid mode: {volume['mode']}")
    if volume.get("type", VOLUME_TYPE) != VOLUME_TYPE:
        problems.invalid("volumes", f"Invalid type: {volume['type']}")


def _check_rules(payload: Doc, problems: Problems) -> None:
    """Firewall rules for a VM that is not there yet: whole ones, of an account."""
    rules = payload.get("firewall_rules")
    for rule in rules if isinstance(rules, list) else ():
        if not isinstance(rule, dict):
            problems.invalid("firewall_rules", "Must be an array of objects")
        elif not is_uuid(rule.get("uuid")) or not is_uuid(rule.get("owner_uuid")):
            problems.invalid("firewall_rules", "Each rule needs the UUIDs of itself and of its owner")
        elif not isinstance(rule.get("rule"), str) or not isinstance(rule.get("enabled"), bool):
            problems.invalid("firewall_rules", "Each rule needs its text, and whether it is enabled")
        elif "global" in rule:
            problems.invalid("firewall_rules", "Global rules are not a VM's")


def _check_locality(locality: Any, problems: Problems) -> None:
    """VMs that a new one is to be near to, or far from: the UUID of one, or a list."""
    if locality is None:
        return
    if not isinstance(locality, dict):
        problems.invalid("locality", "Must be an object")
        return
    for hint in ("near", "far"):
        wanted = locality.get(hint) or []
        if not all(
            map(is_uuid, [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else [None])
        ):
            problems.invalid("locality", f"{hint} must be a UUID or an array of UUIDs")


def _is_count(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_hostname(text: str) -> bool:
    """A DNS name of labels up to 64 characters; the trailing dot is not part of it."""
    return len(text) <= 255 and all(HOSTNAME.fullmatch(label) for label in text.split("."))
