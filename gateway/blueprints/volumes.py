"""Volumes: made, looked at, removed."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from translators.volumes import create, listing, removal
from translators.volumes.model import VolumeCreate

volumes = Resource("volumes")


@volumes.handles("volume.list")
def volume_list(call: Call) -> Reply:
    return Reply(body=listing.list_volumes(call))


@volumes.handles("volume.create", model=VolumeCreate)
def volume_create(call: Call) -> Reply:
    return Reply(status=201, body=create.create(call, call.body))


@volumes.handles("volume.inspect")
def volume_inspect(call: Call) -> Reply:
    return Reply(body=listing.inspect(call, call.target["name"]))


@volumes.handles("volume.remove")
def volume_remove(call: Call) -> None:
    removal.remove(call, call.target["name"])


@volumes.handles("volume.prune")
def volume_prune(call: Call) -> Reply:
    return Reply(body=removal.prune(call))
