"""IMGAPI's HTTP side. Facts: IMGAPI 4.13.1 as captured; query and body are kept apart here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import gevent
from flask import Flask, Response, g, request

from datacenter.images.compression import BAD_STREAM
from datacenter.images.files import Facts, Incoming, diff_id
from datacenter.images.pace import CHUNK, breathe
from datacenter.images.registry_auth import credentials
from datacenter.restify import RestError, body, encode, is_uuid, not_found, reply, service
from datacenter.services.imgapi.lines import Told
from datacenter.services.imgapi.listing import invalid, select, visible_to
from datacenter.services.imgapi.manifest import Manifest, etag, view
from datacenter.services.imgapi.pulls import Pull
from datacenter.services.imgapi.pushes import Push, pack
from grammars import references

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

VERSION = "4.13.1"
COMPRESSIONS = ("gzip", "bzip2", "xz", "zstd", "none")
LARGEST_FILE = 20 * 1024**3


def make_app(imgapi: Imgapi) -> Flask:
    app = service("imgapi", f"imgapi/{VERSION}")

    @app.get("/ping")
    def ping() -> Response:
        return reply({"ping": "pong", "version": VERSION, "imgapi": True, "pid": os.getpid()})

    @app.get("/images")
    def list_images() -> Response:
        admin = request.args.get("inclAdminFields") == "true"
        found = select(imgapi.images.all(), request.args.to_dict())
        return reply([view(image, admin=admin) for image in found])

    @app.post("/images")
    def create_image() -> Response:
        action = request.args.get("action")
        if action == "import-docker-image":
            return _import_docker_image(imgapi)
        if action is not None:
            raise invalid(f'invalid action "{action}"')
        return _shown(imgapi.create(_fields()))

    @app.get("/images/<uuid>")
    def get_image(uuid: str) -> Response:
        image = _find(imgapi, uuid)
        if etag(image) in request.if_none_match:
            return reply(None, 304, etag=etag(image))
        return _shown(image, admin=request.args.get("inclAdminFields") == "true")

    @app.post("/images/<uuid>")
    def act(uuid: str) -> Response:
        action = request.args.get("action", "")
        if action == "import":
            if not is_uuid(uuid):
                raise invalid(f'invalid image uuid: "{uuid}"')
            skip = request.args.get("skip_owner_check") == "true"
            return _shown(imgapi.admin_import(uuid, _fields(), skip_owner_check=skip))
        if action in ("export", "import-remote", "channel-add"):
            raise RestError(400, "NotImplemented", f"{action} is not supported")
        if action not in _ACTIONS:
            raise invalid(f'invalid action "{action}"')
        _find(imgapi, uuid)
        return _shown(_ACTIONS[action](imgapi, uuid))

    @app.delete("/images/<uuid>")
    def delete_image(uuid: str) -> Response:
        imgapi.delete(_find(imgapi, uuid)["uuid"], request.args.get("account"))
        return reply(None, 204)

    @app.post("/images/<uuid>/push")
    def push(uuid: str) -> Response:
        return _push_docker_image(imgapi, uuid)

    _add_file_routes(app, imgapi)
    return app


def _add_file_routes(app: Flask, imgapi: Imgapi) -> None:
    @app.put("/images/<uuid>/file")
    def add_file(uuid: str) -> Response:
        return _shown(_receive(imgapi, uuid))

    @app.get("/images/<uuid>/file")
    def get_file(uuid: str) -> Response:
        return _send_file(imgapi, uuid)


_ACTIONS: dict[str, Callable[[Imgapi, str], Manifest]] = {
    "activate": lambda imgapi, uuid: imgapi.activate(uuid),
    "enable": lambda imgapi, uuid: imgapi.enable(uuid, disabled=False),
    "disable": lambda imgapi, uuid: imgapi.enable(uuid, disabled=True),
    "update": lambda imgapi, uuid: imgapi.update(uuid, _fields()),
}


def _fields() -> dict[str, Any]:
    fields = body()
    if not isinstance(fields, dict):
        raise RestError(400, "InvalidContent", "the body is not a JSON object")
    return fields


def _find(imgapi: Imgapi, uuid: str) -> Manifest:
    """Find an image that the account of the query, if one is named, may see."""
    image = imgapi.find(uuid)
    account = request.args.get("account")
    if account is not None and not visible_to(image, account):
        raise not_found(f"image {uuid} not found")
    return image


def _shown(image: Manifest, *, admin: bool = False) -> Response:
    return reply(view(image, admin=admin), etag=etag(image))


def _import_docker_image(imgapi: Imgapi) -> Response:
    query = request.args
    _operators_only()
    repo, tag, digest = query.get("repo", ""), query.get("tag"), query.get("digest")
    if not repo:
        missing = [{"field": "repo", "code": "MissingParameter"}]
        raise RestError(422, "ValidationFailed", "missing repo", missing)
    if bool(tag) == bool(digest):
        raise RestError(422, "ValidationFailed", "exactly one of tag and digest must be given")
    try:
        name = references.parse(repo)
        reference = name.with_tag(tag) if tag else references.Reference(name.index, name.remote_name)
        reference = reference.with_digest(digest) if digest else reference
    except ValueError as error:
        raise RestError(422, "ValidationFailed", str(error)) from error
    headers = request.headers
    who = credentials(headers.get("X-Registry-Auth"), headers.get("X-Registry-Config"), reference.index)
    return _stream(Pull(imgapi, reference, who, g.request_id))


def _push_docker_image(imgapi: Imgapi, uuid: str) -> Response:
    _operators_only()
    image = imgapi.find(uuid)
    try:
        reference = references.parse(request.args.get("repoAndTag", "")).with_default_tag()
    except ValueError as error:
        raise RestError(422, "ValidationFailed", str(error), [{"field": "repoAndTag", "code": "Invalid"}]) from error
    if reference.digest:
        raise RestError(422, "ValidationFailed", "cannot push a digest reference")
    parcel = pack(imgapi, image["uuid"], _fields())
    who = credentials(request.headers.get("X-Registry-Auth"), None, reference.index)
    return _stream(Push(imgapi, parcel, reference, who, g.request_id))


def _operators_only() -> None:
    if "account" in request.args:
        raise RestError(403, "OperatorOnly", "operator-only endpoint called by a non-operator")


def _stream(work: Told) -> Response:
    """Answer 200 with lines; the first one is waited for, for then the registry has answered."""
    lines = work.lines()
    first = next(lines)
    response = Response(encode(line) + b"\r\n" for line in chain((first,), lines))
    response.call_on_close(lines.close)
    if first["type"] == "error":
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = "application/json"
    return response


def _receive(imgapi: Imgapi, uuid: str) -> Manifest:
    """Stream a file to disk and give it to its image, once it is what the query says it is."""
    query = request.args
    image = _find(imgapi, uuid)
    compression = query.get("compression")
    if compression not in COMPRESSIONS:
        raise invalid(f'invalid compression "{compression}": must be one of {", ".join(COMPRESSIONS)}')
    with imgapi.files.incoming() as incoming:
        while data := _read_body():
            incoming.write(data)
            if incoming.size > LARGEST_FILE:
                raise RestError(400, "ImageFileTooBig", f"image file size exceeds {LARGEST_FILE} bytes")
            breathe()
        facts = incoming.finish()
        _check_upload(facts)
        extra = {"compression": compression}
        if "uncompressedDigest" in query:
            extra["uncompressedDigest"] = _plain_digest(incoming, facts)
        if "dataset_guid" in query:
            extra["dataset_guid"] = query["dataset_guid"]
        return imgapi.add_file(image["uuid"], incoming, facts, extra)


def _read_body() -> bytes:
    try:
        return request.stream.read(CHUNK)
    except OSError as error:
        raise RestError(400, "Upload", "the upload ended before its end") from error


def _check_upload(facts: Facts) -> None:
    for name, actual in (("sha1", facts.sha1), ("digest", facts.digest)):
        given = request.args.get(name)
        if given is not None and given != actual:
            raise RestError(400, "Upload", f'"{name}" of the uploaded file is {actual}, not {given}')


def _plain_digest(incoming: Incoming, facts: Facts) -> str:
    given = request.args["uncompressedDigest"]
    try:
        actual = gevent.get_hub().threadpool.apply(diff_id, (incoming.path, facts.compression))
    except BAD_STREAM as error:
        raise RestError(400, "Upload", f"the uploaded file is no good {facts.compression} stream") from error
    if actual != given:
        raise RestError(400, "Upload", f'"uncompressedDigest" of the uploaded file is {actual}, not {given}')
    return given


def _send_file(imgapi: Imgapi, uuid: str) -> Response:
    image = _find(imgapi, uuid)
    path, _ = imgapi.file(uuid)
    record = image["files"][0]
    file = path.open("rb")

    def chunks() -> Iterator[bytes]:
        while data := file.read(CHUNK):
            yield data
            breathe()

    response = Response(chunks(), content_type="application/octet-stream")
    response.call_on_close(file.close)
    response.headers["Content-Length"] = str(record["size"])
    response.headers["Content-MD5"] = record["md5"]
    response.headers["ETag"] = etag(image)
    return response
