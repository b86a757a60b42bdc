"""Prune: remove the images that no container uses. Facts: moby's ImagesPrune."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, NotFound
from gateway.state.image_records import ImageRecord
from translators.events.recorder import tell_prune
from translators.filters import parse_filters, truth
from translators.images import view
from translators.images.removal import Report, remove
from translators.prune_filters import COMMON, until, wants


def prune(call: Call) -> dict[str, Any]:
    """Remove the account's images without a tag, or with ``dangling=false`` all that no container was made from.

    The space is that of the layers that nobody's image needs any more.

    Docker: POST /images/prune   SDC: VMAPI GET /vms, IMGAPI DELETE /images/:uuid
    """
    filters = parse_filters(call.arg("filters"), COMMON | {"dangling"})
    limit, every = until(filters), truth(filters, "dangling") is False
    report: Report = []
    space = 0
    parents = call.state.images.parents(call.owner.uuid)
    for record in call.state.images.all(call.owner.uuid):
        if record.config_digest in parents and not record.tags and not every:
            continue  # it goes with the last image that was made from it
        young = limit is not None and view.created_seconds(record) > limit
        if (record.tags and not every) or young or not wants(view.labels(record), filters):
            continue
        done = _remove(call, record)
        report += done
        space += _freed(record, done)
    tell_prune(call, "image", space)
    return {"ImagesDeleted": report or None, "SpaceReclaimed": space}


def _remove(call: Call, record: ImageRecord) -> Report:
    """Remove one image name by name; nothing happens to an image that is used."""
    done: Report = []
    for name in (*record.tags, *record.digests) or (record.config_digest,):
        try:
            done += remove(call, name, force=False)
        except (Conflict, NotFound):
            continue  # a container uses it, or it went with an earlier name
    return done


def _freed(record: ImageRecord, done: Report) -> int:
    """Count the layers that a report says are deleted, in bytes."""
    diff_ids = (record.config.get("rootfs") or {}).get("diff_ids") or []
    gone = {item.get("Deleted") for item in done}
    return sum(
        int(layer.get("size") or 0) for layer, diff_id in zip(record.layers, diff_ids, strict=False) if diff_id in gone
    )
