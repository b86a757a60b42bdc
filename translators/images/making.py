"""Images that a compute node makes: what it asks for on the way is carried out, and the results are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.call import Call
from gateway.errors import DockerError
from gateway.state.image_records import ImageRecord
from sdc.building import BuildChannel, Event
from translators.images.lookup import forget

Json = dict[str, Any]
Handler = Callable[[Event], Any]


def image_model(record: ImageRecord) -> Json:
    """Write a record as sdc-docker's ImageV2, which is what compute nodes read. Facts: docker-on-triton 7.1."""
    return {
        "config_digest": record.config_digest,
        "created": int(record.created),
        "head": True,
        "image": record.config,
        "image_uuid": record.image_uuid,
        "manifest_digest": record.manifest_digest,
        "manifest_str": record.manifest_str,
        "owner_uuid": record.owner_uuid,
        "parent": record.parent,
        "size": record.size,
        "dockerImageVersion": "2.2",
    }


def keep_made(call: Call, made: Json) -> ImageRecord:
    """Write the row of an image that a node has finished; its layers are IMGAPI's by now."""
    record = ImageRecord(
        owner_uuid=call.owner.uuid,
        config_digest=made["config_digest"],
        image_uuid=made["image_uuid"],
        manifest_digest=made["manifest_digest"],
        manifest_str=made["manifest_str"],
        size=int(made["size"]),
        created=time.time(),
        parent=str(made.get("parent") or (made["image"] or {}).get("parent") or ""),
        config=made["image"],
    )
    forget(record.image_uuid)
    call.state.images.put(record)
    return record


def conduct(channel: BuildChannel, handlers: Mapping[str, Handler]) -> Event:
    """Hand each event to the handler of its type, send the answers, and return the last one, ``end``.

    Events without a handler are heard and not answered. When a handler refuses, the node is told, ends in its own
    time, and then the refusal goes on. Raises DockerError, and SdcUnavailable when the node breaks off.
    """
    refusal: DockerError | None = None
    end: Event = {}
    for event in channel.events():
        end = event
        handler = handlers.get(str(event.get("type")))
        if handler is None:
            continue
        try:
            result = handler(event)
        except DockerError as error:
            refusal = refusal or error
            channel.refuse(event, error.message)
        else:
            channel.answer(event, result)
    if refusal is not None:
        raise refusal
    return end
