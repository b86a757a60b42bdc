"""Files of containers: archives in and out, export, changes."""

from __future__ import annotations

from typing import BinaryIO, cast

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from translators.containers import archive as use

archive = Resource("archive")


@archive.handles("container.archive.stat")
def archive_stat(call: Call) -> Reply:
    return Reply(headers=use.stat_path(call, call.target["id"]))


@archive.handles("container.archive.get")
def archive_get(call: Call) -> Reply:
    return use.copy_out(call, call.target["id"])


@archive.handles("container.archive.put", upload=True)
def archive_put(call: Call) -> Reply:
    use.copy_in(call, call.target["id"], cast("BinaryIO", call.upload))
    return Reply()


@archive.handles("container.export")
def container_export(call: Call) -> Reply:
    return use.export(call, call.target["id"])


@archive.handles("container.changes")
def container_changes(call: Call) -> Reply:
    return Reply(body=use.changes(call, call.target["id"]))
