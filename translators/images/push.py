"""Push: IMGAPI sends an image's layers to a registry; the gateway gives it the record and passes progress on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.call import Call
from gateway.errors import DockerError, InternalError, InvalidParameter, NotFound, NotImplementedHere, Unauthorized
from gateway.state.image_records import ImageRecord
from grammars.dockerids import short
from grammars.references import Reference
from translators.errors import speaking_docker
from translators.events.recorder import tell_image
from translators.images.blobs import config_blob
from translators.images.credentials import registry_headers
from translators.images.lookup import find_image, parse_reference
from translators.images.messages import Message, failure
from translators.platforms import check_platforms


def push(call: Call, name: str, tag: str, platform: str) -> Iterator[Message]:
    """Push one tag of a repository, or all of them when none is named; return the messages that clients draw.

    Only a name that is none is refused with a status. As with dockerd, the rest is a last message: a tag that is
    not there, too.

    Docker: POST /images/{name}/push   SDC: IMGAPI POST /images/:uuid/push
    """
    reference = parse_reference(name)
    try:
        reference = reference.with_tag(tag) if tag else reference
    except ValueError as error:
        raise InvalidParameter(str(error)) from error
    check_platforms([platform])
    headers = registry_headers(call)
    headers.pop("x-registry-config", None)
    return _pushing(call, reference, headers)


def _pushing(call: Call, reference: Reference, headers: dict[str, str]) -> Iterator[Message]:
    repository = Reference(reference.index, reference.remote_name)
    yield {"status": f"The push refers to repository [{reference.index}/{reference.remote_name}]"}
    record = None
    try:
        for tagged in _tags(call, reference):
            record = _record(call, tagged)
            yield from _push_one(call, record, tagged, headers)
        if record is not None:
            whole = reference if reference.tag else repository
            tell_image(call, record, "push", actor_id=str(whole), name=reference.local_name)
    except DockerError as error:
        yield failure(error.message)


def _tags(call: Call, reference: Reference) -> list[Reference]:
    """Every name to push. Raises errors in dockerd's words."""
    if reference.digest:
        raise InvalidParameter("cannot push a digest reference")
    tags = call.state.images.tags(call.owner.uuid, reference.local_name)
    if not tags:
        raise NotFound(f"An image does not exist locally with the tag: {reference.local_name}")
    return [reference.with_tag(tag) for tag in ([reference.tag] if reference.tag else tags)]


def _record(call: Call, reference: Reference) -> ImageRecord:
    try:
        return find_image(call, str(reference))
    except NotFound:
        raise NotFound(f"tag does not exist: {reference}") from None


def _push_one(call: Call, record: ImageRecord, reference: Reference, headers: dict[str, str]) -> Iterator[Message]:
    body = _body(record)
    ids = shown_ids(record)
    digest = ""
    with speaking_docker(f"problem pushing {reference}"):
        for line in call.services.imgapi.push_docker_image(record.image_uuid, reference.canonical, body, headers):
            if line.get("type") == "error":
                raise push_error(line.get("error") or {}, reference)
            message = shown(line.get("payload") or {}, ids)
            digest = str(message.get("aux", {}).get("Digest") or digest)
            yield message
    if not digest:
        raise InternalError(f"push of {reference} ended without a digest")
    call.state.images.add_digest(record.owner_uuid, reference.local_name, digest, record.config_digest)


def _body(record: ImageRecord) -> dict[str, Any]:
    """The record as IMGAPI gave it, in sdc-docker's form; ``sources`` are repositories of the account's own."""
    return {
        "owner_uuid": record.owner_uuid,
        "config_digest": record.config_digest,
        "created": int(record.created * 1000),
        "head": True,
        "image": record.config,
        "config_str": config_blob(record).decode(),
        "image_uuid": record.image_uuid,
        "manifest_digest": record.manifest_digest,
        "manifest_str": record.manifest_str,
        "size": record.size,
        "dockerImageVersion": "2.2",
        "sources": [name.partition("@")[0] for name in record.digests],
    }


def shown_ids(record: ImageRecord) -> dict[str, str]:
    """Map the ids of layers in IMGAPI's lines (of their blobs) to those that dockerd shows (of their content)."""
    diff_ids = (record.config.get("rootfs") or {}).get("diff_ids") or []
    return {
        short(str(layer.get("digest"))): short(str(diff_id))
        for layer, diff_id in zip(record.layers, diff_ids, strict=False)
    }


def shown(payload: Message, ids: Mapping[str, str]) -> Message:
    """What a client is shown of one of IMGAPI's lines."""
    message: Message = {}
    if "status" in payload:
        message["status"] = payload["status"]
    if "id" in payload or "aux" in payload:
        detail = payload.get("progressDetail") or {}
        message["progressDetail"] = {key: detail[key] for key in ("current", "total") if key in detail}
    if "id" in payload:
        message["id"] = ids.get(str(payload["id"]), payload["id"])
    if "aux" in payload:
        message["aux"] = payload["aux"]
    return message


def push_error(error: Message, reference: Reference) -> DockerError:
    """Turn IMGAPI's error line into Docker's sentence. Facts: docker-on-triton 7.10."""
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    if code in {"UnauthorizedError", "UNAUTHORIZED"}:
        return Unauthorized(message or "unauthorized: authentication required")
    if code in {"RemoteSourceError", "ENOTFOUND"}:
        return InternalError(f"Error pushing image: ({code}) {reference.index} could not be reached or does not answer")
    if code == "ConnectTimeoutError":
        return InternalError(f"Timeout connecting to host {reference.index}")
    if code in {"ResourceNotFound", "Upload"}:
        return InternalError(f"Error pushing {reference}: {message}")
    if code == "NotImplemented":
        return NotImplementedHere(f"Could not push to registry {reference.index}: {message}")
    return InternalError("Error pushing image: Internal error")
