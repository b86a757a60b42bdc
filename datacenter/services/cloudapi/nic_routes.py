"""CloudAPI's routes to the nics of machines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, g

from datacenter.restify import RestError, not_found, reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.audit import context
from datacenter.services.cloudapi.machine_work import MachineWork, plain_refusals
from datacenter.services.cloudapi.paging import page
from datacenter.services.napi.networks import provisionable
from datacenter.services.vmapi.networks import read_networks

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Shown = dict[str, Any]

_MAC = re.compile(r"[0-9a-f]{12}")


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    work, napi = MachineWork(cloudapi.dc), cloudapi.dc.napi

    def nic(account: Account, uuid: str, mac: str) -> Shown:
        """A nic of a machine, in NAPI's words. Raises 404, 409 for what is no MAC."""
        vm, digits = work.vm(account, uuid), mac.replace(":", "").lower()
        if not _MAC.fullmatch(digits):
            raise RestError(409, "InvalidArgument", "mac has invalid format")
        found = napi.nics.get(digits)
        if found is None or found["belongs_to_uuid"] != vm["uuid"]:
            raise not_found("nic not found")
        return found

    def add(account: Account, uuid: str) -> Response:
        """Make a nic on a network, at once in NAPI, by a job on the machine. Names the one that is there already."""
        vm = work.vm(account, uuid)
        ref = _network(asked())
        network = napi.network(ref["uuid"]) or napi.pool(ref["uuid"])
        if network is None or network["nic_tag"] == "admin" or not provisionable(network, account["uuid"]):
            raise RestError(409, "InvalidArgument", "network not found")
        members = {network["uuid"], *network.get("networks", ())}
        there = next((held for held in napi.nics.of(vm["uuid"]) if held.get("network_uuid") in members), None)
        if there is not None:
            return reply(None, 302, Location=_path(account, uuid, there))
        with plain_refusals():
            made = work.add_nic(vm, {**ref, "uuid": network["uuid"]}, g.request_id)
        return reply(_shown(made), 201, Location=_path(account, uuid, made))

    def remove(account: Account, uuid: str, mac: str) -> Response:
        gone = nic(account, uuid, mac)
        with plain_refusals():
            removal = {"action": "remove_nics", "macs": [gone["mac"]]}
            cloudapi.dc.vmapi.actions.act(work.vm(account, uuid), {**removal, "context": context({})}, g.request_id)
        return reply(None, 204)

    def listed(account: Account, uuid: str) -> Response:
        return page([_shown(held) for held in napi.nics.of(work.vm(account, uuid)["uuid"])])

    route("/machines/<uuid>/nics", listed)
    route("/machines/<uuid>/nics", add, "POST")
    route("/machines/<uuid>/nics/<mac>", lambda account, uuid, mac: reply(_shown(nic(account, uuid, mac))))
    route("/machines/<uuid>/nics/<mac>", remove, "DELETE")


def _network(wanted: Shown) -> Shown:
    """The network that is asked for, by uuid or in the form of an interface. Raises RestError."""
    given = wanted.get("network")
    if not given:
        raise RestError(409, "MissingParameter", "network must be specified")
    if not isinstance(given, (str, dict)):
        raise RestError(409, "InvalidArgument", "network argument must be a network object or string")
    try:
        (ref,) = read_networks([given])
    except ValueError as error:
        raise RestError(409, "InvalidArgument", f"network argument has invalid format: {error}") from error
    if ref["uuid"] is None:
        raise RestError(409, "InvalidArgument", "network argument has no uuid")
    return {**ref, "primary": ref.get("primary", False) or wanted.get("primary") in (True, "true")}


def _path(account: Account, machine_uuid: str, nic: Shown) -> str:
    return f"/{account['login']}/machines/{machine_uuid}/nics/{nic['mac'].replace(':', '')}"


def _shown(nic: Shown) -> Shown:
    """A nic in CloudAPI's words."""
    shown = {name: nic[name] for name in ("mac", "ip", "primary", "gateway", "netmask", "state") if name in nic}
    return shown | ({"network": nic["network_uuid"]} if "network_uuid" in nic else {})
