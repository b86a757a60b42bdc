"""``docker system df``: what the account's images and containers take of the data center's disks."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from gateway.state.image_records import ImageRecord
from translators.containers.listing import list_everything
from translators.images import view
from translators.images.build_cache import cache
from translators.images.listing import results
from translators.volumes.usage import volumes_with_usage

Json = dict[str, Any]

KINDS = ("container", "image", "volume", "build-cache")


def disk_usage(call: Call) -> Json:
    """Count images, layers, containers, volumes and steps of builds, in bytes.

    ``type`` chooses (API 1.42 and later); what is not chosen is null. Layers count once, however many images
    share them.

    Docker: GET /system/df   SDC: VMAPI GET /vms, VOLAPI GET /volumes, CNAPI docker-exec (capability disk-usage)
    """
    asked = call.query.get("type", []) if call.version >= (1, 42) else []
    for kind in asked:
        if kind not in KINDS:
            raise InvalidParameter(f"unknown object type: {kind}")
    chosen = set(asked or KINDS)
    containers = list_everything(call, with_sizes="container" in chosen) if chosen & {"container", "image"} else []
    images, layers_size = _images(call, containers) if "image" in chosen else (None, 0)
    return {
        "LayersSize": layers_size,
        "Images": images,
        "Containers": containers if "container" in chosen else None,
        "Volumes": volumes_with_usage(call) if "volume" in chosen else None,
        "BuildCache": cache(call) if "build-cache" in chosen else None,
    }


def _images(call: Call, containers: list[Json]) -> tuple[list[Json], int]:
    """Return the images with their users and what they share, and the size of all layers together."""
    records = results(call)
    users = Counter(str(container["ImageID"]) for container in containers)
    sizes = {layer["digest"]: int(layer.get("size") or 0) for record in records for layer in record.layers}
    holders = Counter(digest for record in records for digest in _digests(record))
    images = []
    for record in records:
        shared = sum(sizes[digest] for digest in _digests(record) if holders[digest] > 1)
        counted = {"Containers": users[record.config_digest], "SharedSize": shared}
        images.append(view.summary(record, call.version) | counted)
    return images, sum(sizes.values())


def _digests(record: ImageRecord) -> set[str]:
    return {layer["digest"] for layer in record.layers}
