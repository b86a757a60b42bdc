"""Commit: an image of what a container changed in its own. Facts: docker-on-triton 7.13, moby's daemon/commit.go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gateway.call import Call
from gateway.errors import Conflict, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.state.image_records import ImageRecord
from grammars.references import Reference
from sdc.building import BuildChannel, Event
from translators.capabilities import capabilities
from translators.containers import states, view
from translators.containers.commit_config import container_config, merged
from translators.containers.firewall import published_ports
from translators.containers.lookup import docker_id, find_container
from translators.containers.turns import turn
from translators.errors import speaking_docker
from translators.events.recorder import tell, tell_image
from translators.images import changes
from translators.images.lookup import find_image, parse_reference
from translators.images.making import conduct, image_model, keep_made
from translators.images.removal import discard

Vm = dict[str, Any]
Json = dict[str, Any]

COMMIT = "commit"
DOING = "problem committing the container"
_IDLE_SECONDS = 600.0


def commit(call: Call, body: Any) -> Json:
    """Make an image of a container; return ``{"Id"}``. It may run, be stopped or never have run.

    The container stands still meanwhile unless ``pause`` is false; where the node cannot pause, it runs on. The
    layer holds what differs from the image, without volumes. Jobs that would change the container wait.

    Docker: POST /commit   SDC: CNAPI docker-build with command commit (capability commit), IMGAPI
    """
    reference = _reference(call.arg("repo"), call.arg("tag"))
    vm = find_container(call, call.arg("container"))
    able = _abilities(call, vm)
    base = _base(call, vm)
    config = _config(call, vm, body)
    changes.apply(config, call.query.get("changes", []))
    pause = call.flag("pause", default=True) and "pause" in able and states.status(vm) == "running"
    payload = {
        "command": COMMIT,
        "account_uuid": call.owner.uuid,
        "imgapi_url": call.services.imgapi.url,
        "fromImg": image_model(base),
        "author": call.arg("author"),
        "comment": call.arg("comment"),
        "changes": call.query.get("changes", []),
        "config": config,
        "pause": pause,
        **({"tag": str(reference)} if reference else {}),
    }
    record = _made(call, vm, payload, pauses=pause)
    if reference is not None:
        call.state.images.tag(record.owner_uuid, reference.local_name, reference.tag or "latest", record.config_digest)
        tell_image(call, record, "tag", name=str(reference))
    said = {"comment": call.arg("comment"), "imageID": record.config_digest, "imageRef": str(reference or "")}
    tell(call, vm, "commit", **said)
    return {"Id": record.config_digest}


def _reference(repo: str, tag: str) -> Reference | None:
    if not repo:
        return None
    reference = parse_reference(f"{repo}:{tag}" if tag else repo).with_default_tag()
    if reference.digest:
        raise InvalidParameter("cannot use digest reference")
    return reference


def _abilities(call: Call, vm: Vm) -> frozenset[str]:
    """Return what the container's node can do. Raises NotImplementedHere unless it can commit."""
    if not vm.get("server_uuid"):
        raise Conflict(f"container {docker_id(vm)} is not placed on a compute node yet")
    with speaking_docker(DOING):
        able = capabilities(call, vm["server_uuid"])
    if COMMIT not in able:
        raise NotImplementedHere(
            f"commit needs the capability {COMMIT}, which the container's compute node lacks; "
            "docker export and docker import copy a file system where the node has the capability export"
        )
    return able


def _base(call: Call, vm: Vm) -> ImageRecord:
    """Find the container's image among the account's own."""
    image_id = view.image_id(vm)
    try:
        record = find_image(call, image_id)
    except NotFound as error:
        raise NotFound(f"the container's image {image_id} is not among your images any more: pull it again") from error
    if record.image_uuid != vm.get("image_uuid"):
        raise Conflict(f"container {docker_id(vm)} was not made from the image {image_id}")
    return record


def _config(call: Call, vm: Vm, body: Any) -> Json:
    """Return the image's configuration before the changes: the request's, and the container's where it says nothing."""
    with speaking_docker(DOING):
        own = container_config(vm, published_ports(call, vm))
    return own if body is None else merged(msgspec.to_builtins(body), own)


def _made(call: Call, vm: Vm, payload: Json, *, pauses: bool) -> ImageRecord:
    kept: list[ImageRecord] = []

    def create(event: Event) -> None:
        kept.append(keep_made(call, event["payload"]))

    handlers = {"image_create": create, "commit_finished": lambda _: None}
    try:
        with speaking_docker(DOING), turn(call, vm, "docker_commit"), _told_pause(call, vm, wanted=pauses):
            answer = call.services.cnapi.docker_build(vm["server_uuid"], vm["uuid"], payload)
            with BuildChannel(answer, idle=_IDLE_SECONDS) as channel:
                end = conduct(channel, handlers)
        if end.get("error") or not kept:
            raise InternalError(f"{DOING}: {end.get('error') or 'the compute node made no image'}")
    except BaseException:
        for record in kept:
            discard(call, record)
        raise
    return kept[-1]


@contextmanager
def _told_pause(call: Call, vm: Vm, *, wanted: bool) -> Iterator[None]:
    """Tell that the container stands still for the block, as dockerd does."""
    if not wanted:
        yield
        return
    tell(call, vm, "pause")
    try:
        yield
    finally:
        tell(call, vm, "unpause")
