"""VOLAPI's volumes as Docker's, and what Docker knows of them beyond VOLAPI. Pure.

A volume is of driver ``local`` and without options unless it was made otherwise; then a label of our own keeps how,
which clients don't see.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from translators.containers.states import json_text
from translators.containers.volumes import is_own_volume, volume_name
from translators.volumes.naming import DRIVER

Volume = dict[str, Any]
Vm = dict[str, Any]
Json = dict[str, Any]

ANONYMOUS_LABEL = "com.docker.volume.anonymous"
ASKED_LABEL = "com.joyent.volume.asked"


def kept_labels(labels: Mapping[str, str], driver: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that VOLAPI keeps: the volume's own, and how it was asked for where that is not the usual."""
    asked = {"Driver": driver} if driver not in {"", DRIVER} else {}
    more = {**asked, **({"Options": dict(options)} if options else {})}
    return {**labels, **({ASKED_LABEL: json_text(more)} if more else {})}


def labels(volume: Volume) -> dict[str, str]:
    """Return a volume's labels as its maker gave them."""
    return {key: value for key, value in (volume.get("labels") or {}).items() if key != ASKED_LABEL}


def asked(volume: Volume) -> Json:
    """Return the ``Driver`` and ``Options`` that a volume was asked for with, where they were not the usual."""
    try:
        found = msgspec.json.decode((volume.get("labels") or {}).get(ASKED_LABEL, "{}"))
    except msgspec.DecodeError:
        return {}  # somebody else's label
    return found if isinstance(found, dict) else {}


def driver(volume: Volume) -> str:
    return str(asked(volume).get("Driver") or DRIVER)


def described(volume: Volume) -> Json:
    """Translate a volume."""
    return {
        "CreatedAt": _seconds(volume.get("create_timestamp")),
        "Driver": driver(volume),
        "Labels": labels(volume) or None,
        "Mountpoint": volume.get("filesystem_path") or "",
        "Name": volume["name"],
        "Options": asked(volume).get("Options"),
        "Scope": "local",
    }


def status(volume: Volume) -> Json:
    """Tell what a volume is in the data center, as a driver tells its low-level details. Size in MiB."""
    return {name: volume[name] for name in ("uuid", "type", "size", "networks", "state") if name in volume}


def anonymous(vms: list[Vm]) -> list[Volume]:
    """Return the volumes that live inside containers, in the shape of VOLAPI's, each used by its own container."""
    return [
        {
            "name": volume_name(entry),
            "create_timestamp": vm.get("create_timestamp"),
            "filesystem_path": entry["source"],
            "labels": {ANONYMOUS_LABEL: ""},
            "refs": [vm["uuid"]],
        }
        for vm in vms
        for entry in vm.get("filesystems") or []
        if is_own_volume(vm, entry)
    ]


def _seconds(text: str | None) -> str:
    if not text:
        return ""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
