"""Image records in Docker's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.state.image_records import ImageRecord
from gateway.versions import ApiVersion


def created(record: ImageRecord) -> str:
    """RFC 3339 as the image's config tells it; the record's own time when it tells none."""
    return str(record.config.get("created") or datetime.fromtimestamp(record.created, UTC).isoformat())


def created_seconds(record: ImageRecord) -> int:
    """Epoch seconds of ``created``; 0 when nobody can read it."""
    try:
        return int(datetime.fromisoformat(created(record)).timestamp())
    except ValueError:
        return 0


def labels(record: ImageRecord) -> dict[str, str]:
    return (record.config.get("config") or {}).get("Labels") or {}


def summary(record: ImageRecord, version: ApiVersion) -> dict[str, Any]:
    """One element of the image list. Sizes in bytes; -1 says that nobody counted."""
    tags, digests = list(record.tags), list(record.digests)
    if version < (1, 43) and not tags:
        tags = ["<none>:<none>"]
        digests = digests or ["<none>@<none>"]
    item: dict[str, Any] = {
        "Containers": -1,
        "Created": created_seconds(record),
        "Id": record.config_digest,
        "Labels": labels(record) or None,
        "ParentId": record.parent,
        "RepoDigests": digests,
        "RepoTags": tags,
        "SharedSize": -1,
        "Size": record.size,
    }
    if version < (1, 44):
        item["VirtualSize"] = record.size
    return item


def inspect(record: ImageRecord, version: ApiVersion) -> dict[str, Any]:
    """The whole image. Docker: GET /images/{name}/json"""
    document = record.config
    rootfs = document.get("rootfs") or {}
    body: dict[str, Any] = {
        "Id": record.config_digest,
        "RepoTags": list(record.tags),
        "RepoDigests": list(record.digests),
        "Parent": record.parent,
        "Comment": document.get("comment") or "",
        "Created": created(record),
        "DockerVersion": document.get("docker_version") or "",
        "Author": document.get("author") or "",
        "Config": _config(document.get("config") or {}, version),
        "Architecture": document.get("architecture") or "amd64",
        "Os": document.get("os") or "linux",
        "Size": record.size,
        "GraphDriver": {"Data": None, "Name": "sdc"},
        "RootFS": {"Type": rootfs.get("type", "layers"), "Layers": rootfs.get("diff_ids") or []},
        "Metadata": {"LastTagTime": datetime.fromtimestamp(record.created, UTC).isoformat()},
    }
    if document.get("variant"):
        body["Variant"] = document["variant"]
    if version < (1, 44):
        body["VirtualSize"] = record.size
    if version < (1, 45):
        body |= {"Container": document.get("container") or "", "ContainerConfig": document.get("container_config")}
    return body


_CONTAINERS_OWN: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Image": "",
}
"""What old builders left of their containers in an image's config, and versions below 1.50 show."""
_BLANK: dict[str, Any] = {
    "User": "",
    "Env": None,
    "Cmd": None,
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


def _config(config: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    """The image's config with every field a template may name."""
    if version < (1, 50):
        return {**_CONTAINERS_OWN, **_BLANK, **config}
    return {**_BLANK, **{name: value for name, value in config.items() if name not in _CONTAINERS_OWN}}


def history(record: ImageRecord, line: Sequence[ImageRecord] = ()) -> list[dict[str, Any]]:
    """One row per step of the image, newest first. Sizes are those of the layers as the registry sent them.

    ``line`` are the images that it was made from, the nearest first: their steps have ids.
    """
    sizes = [int(layer.get("size") or 0) for layer in record.layers]
    rows: list[dict[str, Any]] = []
    steps = record.config.get("history") or [{"created": created(record)} for _ in sizes]
    for step in steps:
        empty = bool(step.get("empty_layer"))
        rows.append(
            {
                "Comment": step.get("comment") or "",
                "Created": _epoch(step.get("created")),
                "CreatedBy": step.get("created_by") or "",
                "Id": "<missing>",
                "Size": 0 if empty or not sizes else sizes.pop(0),
                "Tags": None,
            }
        )
    rows.reverse()
    for one in (record, *line):
        at = len(rows) - len(one.config.get("history") or rows)
        if 0 <= at < len(rows):
            rows[at] |= {"Id": one.config_digest, "Tags": list(one.tags) or None}
    return rows


def _epoch(text: str | None) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else 0
    except ValueError:
        return 0
