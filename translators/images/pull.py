"""Pull: IMGAPI fetches the layers; the gateway passes its progress on and keeps the names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import chain

from gateway.call import Call
from gateway.errors import DockerError, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.state.image_records import ImageRecord
from grammars.references import Reference, is_digest
from translators.errors import speaking_docker
from translators.events.recorder import tell_image
from translators.images.credentials import registry_headers
from translators.images.lookup import forget, parse_reference
from translators.images.messages import Message, failure
from translators.platforms import check_platform

_STATUS = {
    "Uncompressing layer": "Extracting",
    "Download complete (cached)": "Download complete",
    "Connection timed out": "Retrying",
}
_INNER = {"Uncompression completed", "Activating image"}
_REQUEST = re.compile(r" \(req(?:_id)?:? [^)]*\)$")


def pull(call: Call, image: str, tag: str, platform: str) -> Iterator[Message]:
    """Pull an image; return the progress messages that Docker clients draw.

    What fails before the first layer is touched is raised, as dockerd does, so that the client sees a status;
    later failures are a last message. The image's rows are written only when all layers are there.

    Docker: POST /images/create?fromImage=   SDC: IMGAPI POST /images?action=import-docker-image
    """
    reference = _reference(image, tag)
    check_platform(platform)
    with speaking_docker(f"problem pulling {reference}"):
        messages = call.services.imgapi.import_docker_image(
            reference.canonical_name,
            tag=None if reference.digest else reference.tag,
            digest=reference.digest,
            headers=registry_headers(call),
        )
        held: list[Message] = []
        for message in messages:
            if message.get("type") == "error":
                raise pull_error(message.get("error") or {}, reference)
            held.append(message)
            if message.get("type") != "status":
                break
    return _pulling(call, reference, held, messages)


def _reference(image: str, tag: str) -> Reference:
    reference = parse_reference(image)
    if tag:
        try:
            return reference.with_digest(tag) if is_digest(tag) else reference.with_tag(tag)
        except ValueError as error:
            raise InvalidParameter(str(error)) from error
    if reference.tag or reference.digest:
        return reference
    raise NotImplementedHere("pulling all tags of a repository is not supported: name the tags one by one")


def _pulling(call: Call, reference: Reference, held: list[Message], rest: Iterator[Message]) -> Iterator[Message]:
    made: Message | None = None
    last: Message = {"status": f"Status: Downloaded newer image for {reference}"}
    try:
        with speaking_docker(f"problem pulling {reference}"):
            for message in chain(held, rest):
                kind = message.get("type")
                if kind == "error":
                    raise pull_error(message.get("error") or {}, reference)
                if kind == "create-docker-image":
                    made = message
                elif (shown := _shown(message.get("payload") or {}, reference)) is not None:
                    if shown["status"].startswith("Status: "):
                        last = shown  # said only when the rows are written
                    else:
                        yield shown
        if made is None:
            raise InternalError(f"pull of {reference} ended without an image")
        record = keep(call, reference, made)
        tell_image(call, record, "pull", actor_id=str(reference), name=reference.local_name)
    except DockerError as error:
        yield failure(error.message)
        return
    yield last


def _shown(payload: Message, reference: Reference) -> Message | None:
    """What a client is shown of one of IMGAPI's messages; None for inner steps."""
    status = str(payload.get("status", ""))
    if status in _INNER:
        return None
    if "id" not in payload:
        status = _REQUEST.sub("", status)
        if status.startswith("Status: "):
            status = f"{status.rpartition(' for ')[0]} for {reference}"
        elif ": Pulling from " in status:
            return {"status": f"Pulling from {reference.remote_name}", "id": reference.tag or reference.digest}
        return {"status": status}
    detail = payload.get("progressDetail") or {}
    shown = {key: detail[key] for key in ("current", "total") if key in detail}
    return {"status": _STATUS.get(status, status), "progressDetail": shown, "id": payload["id"]}


def keep(call: Call, reference: Reference, made: Message) -> ImageRecord:
    """Write the rows of an image that IMGAPI has finished: first the image, then its names."""
    owner = call.owner.uuid
    record = ImageRecord(
        owner_uuid=owner,
        config_digest=made["config_digest"],
        image_uuid=made["image_uuid"],
        manifest_digest=made["manifest_digest"],
        manifest_str=made["manifest_str"],
        size=int(made["size"]),
        created=time.time(),
        config=made["image"],
        config_str=str(made.get("config_str") or ""),
    )
    forget(record.image_uuid)
    images = call.state.images
    with call.state.database.transaction():
        images.put(record)
        images.add_digest(owner, reference.local_name, reference.digest or record.manifest_digest, record.config_digest)
        if reference.tag and not reference.digest:
            images.tag(owner, reference.local_name, reference.tag, record.config_digest)
    return record


def pull_error(error: Message, reference: Reference) -> DockerError:
    """Turn IMGAPI's error line into Docker's sentence. Facts: docker-on-triton 7.4."""
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    if code in {"ResourceNotFound", "NotFoundError", "MANIFEST_UNKNOWN"} or "MANIFEST_UNKNOWN" in message:
        return NotFound(f"manifest for {reference} not found: manifest unknown: manifest unknown")
    if code in {"UnauthorizedError", "UNAUTHORIZED"}:
        return NotFound(
            f"pull access denied for {reference.local_name}, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied"
        )
    if code in {"RemoteSourceError", "ENOTFOUND"}:
        return InternalError(f"Error pulling image: ({code}) {reference.index} could not be reached or does not answer")
    if code == "ConnectTimeoutError":
        return InternalError(f"Timeout connecting to host {reference.index}")
    if code in {"Download", "DownloadError", "ImageFileTooBig"}:
        return InternalError(f"Error downloading {reference}: {message}")
    if code == "NotImplemented":
        return NotImplementedHere(f"Could not pull from registry {reference.index}: {message}")
    if code == "ValidationFailed":
        return InvalidParameter(message)
    return InternalError("Error pulling image: Internal error")
