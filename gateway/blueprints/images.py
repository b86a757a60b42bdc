"""Images: pull, push, load, save, import, list, look at, name, remove."""

from __future__ import annotations

from typing import BinaryIO, cast

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply, StreamReply
from gateway.errors import InvalidParameter, NotImplementedHere
from translators.images import (
    build,
    build_cache,
    importing,
    listing,
    load,
    naming,
    prune,
    pull,
    push,
    registries,
    removal,
    save,
    view,
)
from translators.images.build_options import build_container
from translators.images.lookup import find_image, line_of
from translators.platforms import check_platforms

images = Resource("images")

CRLF = b"\r\n"
TAR = "application/x-tar"


@images.handles("image.list")
def image_list(call: Call) -> Reply:
    return Reply(body=listing.list_images(call))


@images.handles("image.create", upload=True, abandons=True)
def image_create(call: Call) -> Reply:
    """Pull with fromImage, import with fromSrc; dockerd has both behind one door."""
    if call.arg("fromImage"):
        return StreamReply(
            items=pull.pull(call, call.arg("fromImage"), call.arg("tag"), call.arg("platform")), end=CRLF
        )
    if not call.arg("fromSrc"):
        raise InvalidParameter("fromImage or fromSrc is needed")
    items = importing.import_image(
        call,
        call.arg("fromSrc"),
        cast("BinaryIO", call.upload),
        repo=call.arg("repo"),
        tag=call.arg("tag"),
        message=call.arg("message"),
        changes=call.query.get("changes", []),
    )
    return StreamReply(items=iter(items), end=CRLF)


@images.handles("image.load", upload=True)
def image_load(call: Call) -> Reply:
    return StreamReply(items=load.load(call, cast("BinaryIO", call.upload), quiet=call.flag("quiet")), end=CRLF)


@images.handles("image.save")
def image_save(call: Call) -> Reply:
    return StreamReply(items=save.save(call, [call.target["name"]]), json=False, content_type=TAR)


@images.handles("image.save.many")
def image_save_many(call: Call) -> Reply:
    return StreamReply(items=save.save(call, call.query.get("names", [])), json=False, content_type=TAR)


@images.handles("image.inspect")
def image_inspect(call: Call) -> Reply:
    check_platforms(call.query.get("platform", []))
    return Reply(body=view.inspect(find_image(call, call.target["name"]), call.version))


@images.handles("image.history")
def image_history(call: Call) -> Reply:
    check_platforms(call.query.get("platform", []))
    record, *line = line_of(call, find_image(call, call.target["name"]))
    return Reply(body=view.history(record, line))


@images.handles("image.push")
def image_push(call: Call) -> Reply:
    items = push.push(call, call.target["name"], call.arg("tag"), call.arg("platform"))
    return StreamReply(items=items, end=CRLF)


@images.handles("image.tag")
def image_tag(call: Call) -> Reply:
    naming.tag(call, call.target["name"], call.arg("repo"), call.arg("tag"))
    return Reply(status=201)


@images.handles("image.remove")
def image_remove(call: Call) -> Reply:
    if any(call.query.get("platforms", [])):
        raise NotImplementedHere("an image of this data center has one platform: remove the image")
    return Reply(body=removal.remove(call, call.target["name"], force=call.flag("force")))


@images.handles("image.search")
def image_search(call: Call) -> Reply:
    return Reply(body=registries.search(call, call.arg("term"), call.arg("limit")))


@images.handles("distribution.inspect")
def distribution_inspect(call: Call) -> Reply:
    return Reply(body=registries.inspect(call, call.target["name"]))


@images.handles("image.prune")
def image_prune(call: Call) -> Reply:
    return Reply(body=prune.prune(call))


@images.handles("image.build", upload=True, abandons=True, described=build_container)
def image_build(call: Call) -> Reply:
    return StreamReply(items=build.build(call, cast("BinaryIO", call.upload)), end=CRLF)


@images.handles("build.cancel")
def build_cancel(call: Call) -> None:
    build.cancel(call, call.arg("id"))


@images.handles("build.prune")
def build_prune(call: Call) -> Reply:
    return Reply(body=build_cache.prune(call))
