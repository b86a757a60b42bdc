"""Containers: made, looked at, driven, waited for, removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.blueprints.binding import Resource
from gateway.call import Call, EncodedReply, Reply, StreamReply
from gateway.errors import Explained
from gateway.wire.ndjson import encode_json
from translators.containers import (
    commit,
    create,
    explaining,
    inspect,
    lifecycle,
    linking,
    listing,
    pause,
    prune,
    removal,
    stats,
    top,
    update,
    wait,
)
from translators.containers.model import ContainerCreate, HostConfig
from translators.containers.roster import roster

containers = Resource("containers")


def _seen(call: Call, look: Callable[[], Any]) -> Reply:
    """Answer with what is seen of containers; the same question gets the same bytes until there is news of them."""
    if call.flag("size"):  # of which there are no news
        return EncodedReply(encoded=encode_json(look()))
    words = [(name, *values) for name, values in call.query.items()]
    question = (call.operation.name, call.version, *call.target.values(), *words)
    encoded = roster(call).answer(call.owner.uuid, question, lambda: encode_json(look()))
    return EncodedReply(encoded=encoded)


@containers.handles("container.create", model=ContainerCreate)
def container_create(call: Call) -> Reply:
    if call.explains:
        raise Explained(explaining.summary(explaining.explain(call, call.body, call.arg("name"))))
    return Reply(status=201, body=create.create(call, call.body, call.arg("name")))


@containers.handles("container.list", direct=True)
def container_list(call: Call) -> Reply:
    return _seen(call, lambda: listing.list_containers(call))


@containers.handles("container.inspect", direct=True)
def container_inspect(call: Call) -> Reply:
    return _seen(call, lambda: inspect.inspect(call, call.target["id"]))


@containers.handles("container.top")
def container_top(call: Call) -> Reply:
    return Reply(body=top.top(call, call.target["id"]))


@containers.handles("container.stats")
def container_stats(call: Call) -> Reply:
    return stats.stats(call, call.target["id"])


@containers.handles("container.start")
def container_start(call: Call) -> None:
    lifecycle.start(call, call.target["id"])


@containers.handles("container.stop")
def container_stop(call: Call) -> None:
    lifecycle.stop(call, call.target["id"])


@containers.handles("container.restart")
def container_restart(call: Call) -> None:
    lifecycle.restart(call, call.target["id"])


@containers.handles("container.kill")
def container_kill(call: Call) -> None:
    lifecycle.kill(call, call.target["id"])


@containers.handles("container.pause")
def container_pause(call: Call) -> None:
    pause.pause(call, call.target["id"])


@containers.handles("container.unpause")
def container_unpause(call: Call) -> None:
    pause.unpause(call, call.target["id"])


@containers.handles("container.update", model=HostConfig)
def container_update(call: Call) -> Reply:
    return Reply(body=update.update(call, call.target["id"], call.body))


@containers.handles("container.rename")
def container_rename(call: Call) -> None:
    lifecycle.rename(call, call.target["id"])


@containers.handles("container.wait")
def container_wait(call: Call) -> Reply:
    return StreamReply(items=wait.wait(call, call.target["id"]))


@containers.handles("container.remove")
def container_remove(call: Call) -> None:
    removal.remove(call, call.target["id"])


@containers.handles("container.link.remove")
def container_link_remove(call: Call) -> None:
    linking.remove_link(call, call.target["id"], call.target["alias"])


@containers.handles("container.prune")
def container_prune(call: Call) -> Reply:
    return Reply(body=prune.prune(call))


@containers.handles("container.commit", model=ContainerCreate | None)
def container_commit(call: Call) -> Reply:
    return Reply(status=201, body=commit.commit(call, call.body))
