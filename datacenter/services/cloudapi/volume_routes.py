"""CloudAPI's routes to an account's volumes: VOLAPI's, without what a customer has no business to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Response, g

from datacenter.restify import RestError, is_uuid, reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.paging import page
from datacenter.services.volapi import validation

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Volume = dict[str, Any]

_LIST = ("name", "predicate", "size", "state", "type", "limit", "offset")
_CREATE = ("name", "type", "size", "networks", "affinity", "tags")
_EXPOSED = frozenset(
    {"ValidationError", "VolumeAlreadyExists", "VolumeInUse", "VolumeNotFound", "VolumeSizeNotAvailable"}
)
_NOT_FAILED = {"ne": ["state", "failed"]}


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    volapi = cloudapi.dc.volapi

    def find(account: Account, uuid: str) -> Volume:
        _check(f"Invalid volume ID: {uuid}" if not is_uuid(uuid) else None)
        return volapi.get(uuid, account["uuid"])

    def get(account: Account, uuid: str) -> Response:
        with _refusals("Error when getting volume"):
            return reply(_shown(volapi.view(find(account, uuid))))

    def update(account: Account, uuid: str) -> Response:
        """Rename a volume."""
        given = asked()
        _check(*(f"{name} is an invalid parameter" for name in given if name != "name"))
        with _refusals("Error when updating volume"):
            volume = find(account, uuid)
            if "name" in given:
                _check(*validation.volume_name(given["name"]))
                volapi.rename(volume, given["name"])
        return reply(None, 204)

    def delete(account: Account, uuid: str) -> Response:
        with _refusals("Error when deleting volume"):
            volapi.delete(find(account, uuid), g.request_id)
        return reply(None, 204)

    def sizes(_account: Account) -> Response:
        _check(*(text for value in [asked().get("type", validation.TYPE)] for text in validation.volume_type(value)))
        return page([{"size": size, "type": validation.TYPE} for size in volapi.sizes()])

    route("/volumes", partial(_listed, cloudapi))
    route("/volumes", partial(_create, cloudapi), "POST")
    route("/volumes/<uuid>", get)
    route("/volumes/<uuid>", update, "POST")
    route("/volumes/<uuid>", delete, "DELETE")
    route("/volumesizes", sizes)


def _listed(cloudapi: CloudApi, account: Account) -> Response:
    """List volumes; without a state or a predicate those that failed are left out."""
    given = asked()
    _check(*(f"invalid parameter: {name}" for name in given if name not in _LIST))
    wanted = {name: value for name, value in given.items() if name not in {"limit", "offset"}}
    if "predicate" in wanted:
        wanted["predicate"] = _with_uuids(str(wanted["predicate"]))
    elif "state" not in wanted:
        wanted["predicate"] = msgspec.json.encode(_NOT_FAILED).decode()
    with _refusals("Error when listing volumes"):
        found = cloudapi.dc.volapi.select({**wanted, "owner_uuid": account["uuid"]})
    return page([_shown(cloudapi.dc.volapi.view(volume)) for volume in found])


def _create(cloudapi: CloudApi, account: Account) -> Response:
    """Make a volume, on the account's default network unless others are named."""
    given = asked()
    _check(*(f"invalid parameter: {name}" for name in given if name not in _CREATE))
    _check(*validation.volume_type(given.get("type")))
    _check("tags: not supported in this data center" if given.get("tags") else None)
    if account.get("approved_for_provisioning") is False:
        raise RestError(403, "NotAuthorized", "the account is not approved for provisioning")
    networks = given.get("networks") or [cloudapi.config(account)["default_network"]]
    body = {name: given[name] for name in ("name", "type", "size", "affinity") if given.get(name) is not None}
    with _refusals("Error when creating volume"):
        made = cloudapi.dc.volapi.create({**body, "owner_uuid": account["uuid"], "networks": networks}, g.request_id)
    return reply(_shown(cloudapi.dc.volapi.view(made)), 201)


def _shown(volume: Volume) -> Volume:
    """A volume in CloudAPI's words; that there is a VM behind it is none of them."""
    renamed = {"uuid": "id", "create_timestamp": "created"}
    return {renamed.get(name, name): value for name, value in volume.items() if name not in {"vm_uuid", "billing_id"}}


def _with_uuids(predicate: str) -> str:
    """A predicate whose ``id`` is VOLAPI's ``uuid``."""
    try:
        decoded = msgspec.json.decode(predicate)
    except msgspec.DecodeError:
        return predicate
    return msgspec.json.encode(_renamed(decoded)).decode()


def _renamed(part: Any) -> Any:
    if isinstance(part, list):
        if len(part) == 2 and part[0] == "id" and not isinstance(part[1], dict):
            return ["uuid", part[1]]
        return [_renamed(item) for item in part]
    return {name: _renamed(value) for name, value in part.items()} if isinstance(part, dict) else part


def _check(*problems: str | None) -> None:
    found = [problem for problem in problems if problem]
    if found:
        raise RestError(409, "InvalidArgument", ", ".join(f"Error: {problem}" for problem in found))


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    """Say what VOLAPI refuses where it is the customer's business, and only that it did where it is not."""
    try:
        yield
    except RestError as error:
        if error.code == "InvalidArgument":
            raise
        if error.code == "InvalidNetworks":
            raise RestError(409, "InvalidArgument", "Invalid networks") from error
        if error.code in _EXPOSED:
            raise RestError(error.status, error.code, f"{doing}: {error.message}") from error
        raise RestError(error.status, "CloudApiError", doing) from error
