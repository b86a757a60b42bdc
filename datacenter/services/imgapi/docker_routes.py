"""The routes that talk to Docker registries: their answers are lines. Facts: sdc-apis 6.4, 6.6."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from flask import Response, g, request

from datacenter.images.registry_auth import credentials
from datacenter.restify import encode
from datacenter.services.imgapi.asking import fields, operators_only, owned
from datacenter.services.imgapi.lines import Told
from datacenter.services.imgapi.pulls import Pull
from datacenter.services.imgapi.pushes import Push, pack
from datacenter.services.imgapi.refusals import invalid_data
from grammars import references
from grammars.references import Reference

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi


def import_docker_image(imgapi: Imgapi) -> Response:
    operators_only()
    reference = _wanted()
    headers = request.headers
    who = credentials(headers.get("X-Registry-Auth"), headers.get("X-Registry-Config"), reference.index)
    return _stream(Pull(imgapi, reference, who, g.request_id))


def push_docker_image(imgapi: Imgapi, uuid: str) -> Response:
    image = owned(imgapi, uuid)
    operators_only()
    if image["type"] != "docker":
        raise invalid_data("image is not a docker image", ["type"], "Invalid")
    try:
        reference = references.parse(request.args.get("repoAndTag", "")).with_default_tag()
    except ValueError as error:
        raise invalid_data(str(error), ["repoAndTag"], "Invalid") from error
    if reference.digest:
        raise invalid_data("cannot push a digest reference", ["repoAndTag"], "Invalid")
    parcel = pack(imgapi, image["uuid"], fields())
    who = credentials(request.headers.get("X-Registry-Auth"), None, reference.index)
    return _stream(Push(imgapi, parcel, reference, who, g.request_id))


def _wanted() -> Reference:
    query = request.args
    repo, tag, digest = query.get("repo", ""), query.get("tag"), query.get("digest")
    if not repo:
        raise invalid_data("missing parameters", ["repo"], "MissingParameter")
    if not tag and not digest:
        raise invalid_data("missing parameters", ["tag"], "MissingParameter", 'one of "tag" or "digest" is required')
    if tag and digest:
        raise invalid_data("missing parameters", ["digest"], "Invalid", 'cannot specify both "tag" and "digest"')
    try:
        name = references.parse(repo)
        reference = name.with_tag(tag) if tag else Reference(name.index, name.remote_name)
        return reference.with_digest(digest) if digest else reference
    except ValueError as error:
        raise invalid_data(str(error), ["repo"], "Invalid") from error


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
