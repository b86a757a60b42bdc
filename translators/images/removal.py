"""Remove: take a name away, and the image with its last one. Facts: docker-on-triton 7.9, moby's image_delete."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict
from gateway.state.image_records import ImageRecord
from grammars.dockerids import is_hex, layer_uuids, short
from sdc.errors import SdcError
from translators.errors import speaking_docker
from translators.events.recorder import tell_image
from translators.images.lookup import find_image, forget, line_of, parse_reference

Report = list[dict[str, str]]


def remove(call: Call, name: str, *, force: bool) -> Report:
    """Untag, and delete when no name is left; return what was done, in order.

    Nameless images that it was made from go along, unless ``noprune`` says otherwise. An image that others were made
    from stays: by name it is only untagged. One that a running container uses keeps its layers even under force; by
    name, force then only untags.

    Docker: DELETE /images/{name}   SDC: VMAPI GET /vms, IMGAPI DELETE /images/:uuid
    """
    record = find_image(call, name)
    line = {one.config_digest: one for one in line_of(call, record)}
    if _is_id(record, name):
        report = _remove_by_id(call, record, force=force)
    else:
        report = _remove_by_name(call, record, name, force=force)
    for done in report:
        if "@" not in done.get("Untagged", "@"):
            tell_image(call, record, "untag")
        elif done.get("Deleted") in line:
            tell_image(call, line[done["Deleted"]], "delete")
    return report


def _is_id(record: ImageRecord, name: str) -> bool:
    digits = name.removeprefix("sha256:")
    return is_hex(digits) and record.config_digest.startswith(f"sha256:{digits}") and not _named(record, name)


def _named(record: ImageRecord, name: str) -> bool:
    try:
        return str(parse_reference(name).with_default_tag()) in {*record.tags, *record.digests}
    except Conflict:
        return False


def _remove_by_name(call: Call, record: ImageRecord, name: str, *, force: bool) -> Report:
    reference = parse_reference(name).with_default_tag()
    others = set(record.tags) - {str(reference)} if not reference.digest else set(record.tags)
    users = [] if others else _users(call, record)
    if users and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{reference}" (must force) - container '
            f"{short(_docker_id(users[0]))} is using its referenced image {short(record.config_digest)}"
        )
    owner, images = record.owner_uuid, call.state.images
    report: Report = [{"Untagged": str(reference)}]
    if reference.digest:
        images.remove_digest(owner, reference.local_name, reference.digest)
        remaining = bool(others) or len(record.digests) > 1
    else:
        images.untag(owner, reference.local_name, reference.tag or "latest")
        report += _drop_digests(call, record, reference.local_name, others)
        remaining = bool(others)
    if remaining or any(vm["state"] == "running" for vm in users) or images.children(owner, record.config_digest):
        return report
    return report + _delete(call, record)


def _drop_digests(call: Call, record: ImageRecord, repo: str, others: set[str]) -> Report:
    """A repository's digest names go with its last tag."""
    if any(tag.rpartition(":")[0] == repo for tag in others):
        return []
    gone = [name for name in record.digests if name.partition("@")[0] == repo]
    for name in gone:
        call.state.images.remove_digest(record.owner_uuid, repo, name.partition("@")[2])
    return [{"Untagged": name} for name in gone]


def _remove_by_id(call: Call, record: ImageRecord, *, force: bool) -> Report:
    short_id = short(record.config_digest)
    repos = {tag.rpartition(":")[0] for tag in record.tags}
    if len(repos) > 1 and not force:
        raise Conflict(
            f"conflict: unable to delete {short_id} (must be forced) - image is referenced in multiple repositories"
        )
    if call.state.images.children(record.owner_uuid, record.config_digest):
        raise Conflict(f"conflict: unable to delete {short_id} (cannot be forced) - image has dependent child images")
    for vm in _users(call, record):
        used = f"container {short(_docker_id(vm))}"
        if vm["state"] == "running":
            raise Conflict(
                f"conflict: unable to delete {short_id} (cannot be forced) - image is being used by running {used}"
            )
        if not force:
            raise Conflict(
                f"conflict: unable to delete {short_id} (must be forced) - image is being used by stopped {used}"
            )
    report: Report = [{"Untagged": name} for name in (*record.tags, *record.digests)]
    return report + _delete(call, record)


def _users(call: Call, record: ImageRecord) -> list[dict[str, Any]]:
    """The account's containers made of an image, running ones first."""
    predicate = {
        "and": [
            {"eq": ["docker", True]},
            {"eq": ["owner_uuid", record.owner_uuid]},
            {"eq": ["image_uuid", record.image_uuid]},
            {"ne": ["state", "failed"]},
            {"ne": ["state", "destroyed"]},
        ]
    }
    with speaking_docker("problem looking for containers of the image"):
        vms = call.services.vmapi.list_vms(predicate=predicate)
    mine = [vm for vm in vms if vm.get("internal_metadata", {}).get("docker:imageid") == record.config_digest]
    return sorted(mine, key=lambda vm: vm["state"] != "running")


def _docker_id(vm: dict[str, Any]) -> str:
    return str(vm.get("internal_metadata", {}).get("docker:id") or vm["uuid"].replace("-", ""))


def _delete(call: Call, record: ImageRecord) -> Report:
    """Delete an image, and with it the nameless ones that it was made from and that nothing else needs."""
    report = discard(call, record)
    parent = call.state.images.get(record.owner_uuid, record.parent)
    if parent is None or call.flag("noprune") or parent.tags or parent.digests:
        return report
    if call.state.images.children(parent.owner_uuid, parent.config_digest) or _users(call, parent):
        return report
    return report + _delete(call, parent)


def discard(call: Call, record: ImageRecord) -> Report:
    """Delete the row, then the layers that nobody else's image ends in or builds on, from the top down."""
    call.state.images.delete(record.owner_uuid, record.config_digest)
    report: Report = [{"Deleted": record.config_digest}]
    uuids = layer_uuids([layer["digest"] for layer in record.layers])
    diff_ids = (record.config.get("rootfs") or {}).get("diff_ids") or [""] * len(uuids)
    for uuid, diff_id in zip(reversed(uuids), reversed(diff_ids), strict=False):
        if call.state.images.uses_layer(uuid):
            break
        try:
            call.services.imgapi.delete_image(uuid)
        except SdcError as error:
            if error.status not in {404, 422}:
                break  # IMGAPI is away: the layer stays, unnamed, until an operator sweeps
            if error.status == 422:
                break
        forget(uuid)
        report.append({"Deleted": diff_id})
    return report
