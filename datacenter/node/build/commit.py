"""Commit: a container's changes become an image. Facts: sdc-apis 5.6."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.node.build.channel import BuildError, Channel
from datacenter.node.build.images import Step, child
from datacenter.node.build.storing import LayerStore, taken_layer
from grammars.dockerfile import DockerfileError, metadata

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.zone import Zone

Json = dict[str, Any]


def commit(node: Node, zone: Zone, payload: Json, channel: Channel) -> None:
    """Make the image and have the gateway keep it: ``image_create``, then ``commit_finished``.

    ``config`` is what the ``changes`` are applied to, that of ``fromImg`` when there is none. With ``pause`` the
    container's processes stand still while its changes are read. Raises BuildError, ClientGone and TaskError.
    """
    base: Json = payload["fromImg"]
    if base.get("image_uuid") != zone.record["image_uuid"]:
        raise BuildError("the container was not made from this image")
    given = payload.get("config") or base["image"].get("config") or {}
    try:
        config = metadata.change(given, payload.get("changes") or [])
    except DockerfileError as error:
        raise BuildError(error.message) from error
    store = LayerStore(node.home.settings.url("imgapi"))
    still = node.lifecycle.still(zone) if payload.get("pause") else nullcontext()
    with zone.lock, still, taken_layer(node, zone) as (layer, file):
        step = Step(
            config=config,
            command=list(given.get("Cmd") or []),
            created=iso(),
            author=str(payload.get("author") or ""),
            comment=str(payload.get("comment") or ""),
            container=str(zone.metadata.get("docker:id") or ""),
            container_config=given,
            layer=layer,
        )
        model = child(base, step, head=True)
        fresh = store.put(model, layer, file)
    try:
        channel.ask("image_create", payload=model)
    except BaseException:
        if fresh:
            store.drop(model["image_uuid"])
        raise
    channel.ask("commit_finished", finalImageDigest=model["config_digest"])
