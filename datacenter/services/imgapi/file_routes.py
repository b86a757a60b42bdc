"""Bytes of images: files and icons, in and out. Facts: sdc-apis 6.1; IMGAPI's own routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from flask import Response, request

from datacenter.images.compression import BAD_STREAM
from datacenter.images.files import Facts, Incoming, diff_id
from datacenter.images.pace import CHUNK, breathe
from datacenter.restify import not_found, reply
from datacenter.services.imgapi.asking import owned, seen, shown
from datacenter.services.imgapi.manifest import Manifest
from datacenter.services.imgapi.refusals import invalid, refuse

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

COMPRESSIONS = ("gzip", "bzip2", "xz", "zstd", "none")
LARGEST_FILE = 20 * 1024**3
LARGEST_ICON = 128 * 1024
ICON_TYPES = ("image/jpeg", "image/gif", "image/png")


def add_file(imgapi: Imgapi, uuid: str) -> Response:
    """Stream a file to disk and give it to its image, once it is what the query says it is."""
    image = owned(imgapi, uuid)
    query = request.args
    if "source" in query:
        raise refuse("NotImplemented", "adding a file from another IMGAPI is not supported: upload it")
    compression = _compression()
    with imgapi.files.incoming() as incoming:
        facts = _received(incoming, LARGEST_FILE, "image file")
        for name, actual in (("sha1", facts.sha1), ("digest", facts.digest)):
            if query.get(name, actual) != actual:
                raise refuse("Upload", f'"{name}" of the uploaded file is {actual}, not {query[name]}')
        extra = {"compression": compression}
        if "uncompressedDigest" in query:
            extra["uncompressedDigest"] = _plain_digest(incoming, facts)
        if "dataset_guid" in query:
            extra["dataset_guid"] = query["dataset_guid"]
        return shown(imgapi.add_file(image["uuid"], incoming, facts, extra))


def _compression() -> str:
    given = request.args.get("compression")
    if not given:
        raise invalid('missing "compression"', "compression", "Missing")
    if given not in COMPRESSIONS:
        raise invalid(f'invalid compression "{given}" (must be one of {", ".join(COMPRESSIONS)})', "compression")
    return given


def _received(incoming: Incoming, most: int, what: str) -> Facts:
    """Read the body. Raises Upload or ImageFileTooBig; nothing of it stays then."""
    while data := _read_body():
        incoming.write(data)
        if incoming.size > most:
            code = "ImageFileTooBig" if most == LARGEST_FILE else "Upload"
            raise refuse(code, f"{what} size exceeds the maximum allowed size, {most} bytes")
        breathe()
    return incoming.finish()


def _read_body() -> bytes:
    try:
        return request.stream.read(CHUNK)
    except OSError as error:
        raise refuse("Upload", "the upload ended before its end") from error


def _plain_digest(incoming: Incoming, facts: Facts) -> str:
    given = request.args["uncompressedDigest"]
    try:
        actual = gevent.get_hub().threadpool.apply(diff_id, (incoming.path, facts.compression))
    except BAD_STREAM as error:
        raise refuse("Upload", f"the uploaded file is no good {facts.compression} stream") from error
    if actual != given:
        raise refuse("Upload", f'"uncompressedDigest" of the uploaded file is {actual}, not {given}')
    return given


def get_file(imgapi: Imgapi, uuid: str) -> Response:
    image = seen(imgapi, uuid)
    index = request.args.get("index", "0")
    if not index.isdecimal():
        raise invalid(f'invalid "index": "{index}"', "index")
    if int(index) >= len(image["files"]):
        raise not_found(f'image "{uuid}" has no file' + (f" {index}" if int(index) else ""))
    record = image["files"][int(index)]
    return _sent(imgapi.files.path(uuid), record, "application/octet-stream")


def add_icon(imgapi: Imgapi, uuid: str) -> Response:
    image = owned(imgapi, uuid)
    kind = request.mimetype
    if kind not in ICON_TYPES:
        raise refuse("Upload", f"invalid content-type, {kind}, must be one of {', '.join(ICON_TYPES)}")
    with imgapi.files.incoming() as incoming:
        facts = _received(incoming, LARGEST_ICON, "icon")
        imgapi.files.place(incoming.path, uuid, "icon")
    record = {"sha1": facts.sha1, "md5": facts.md5, "size": facts.size, "type": kind}
    return shown(imgapi.images.update(image["uuid"], icon=True, icon_file=record))


def get_icon(imgapi: Imgapi, uuid: str) -> Response:
    image = _with_icon(seen(imgapi, uuid))
    return _sent(imgapi.files.path(uuid, "icon"), image["icon_file"], image["icon_file"]["type"])


def delete_icon(imgapi: Imgapi, uuid: str) -> Response:
    image = _with_icon(owned(imgapi, uuid))
    changed = imgapi.images.update(image["uuid"], icon=None, icon_file=None)
    imgapi.files.drop(uuid, "icon")
    return shown(changed)


def _with_icon(image: Manifest) -> Manifest:
    if not image.get("icon"):
        raise not_found(f'image "{image["uuid"]}" has no icon')
    return image


def _sent(path: Path, record: dict[str, Any], kind: str) -> Response:
    """Send a whole file; its ETag is its sha1, as IMGAPI's is."""
    if record["sha1"] in request.if_none_match:
        return reply(None, 304, etag=record["sha1"])
    file = path.open("rb")

    def chunks() -> Iterator[bytes]:
        while data := file.read(CHUNK):
            yield data
            breathe()

    response = Response(chunks(), content_type=kind)
    response.call_on_close(file.close)
    response.headers["Content-Length"] = str(record["size"])
    response.headers["Content-MD5"] = record["md5"]
    response.headers["ETag"] = record["sha1"]
    response.last_modified = path.stat().st_mtime  # type: ignore[assignment]  # werkzeug takes seconds, too
    return response
