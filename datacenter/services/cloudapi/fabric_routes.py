"""CloudAPI's routes to an account's fabric: its VLANs and the networks on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response

from datacenter.restify import reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.machine_work import network_refusals
from datacenter.services.cloudapi.networks import network_view
from datacenter.services.cloudapi.paging import page
from datacenter.services.napi.errors import strict

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Shown = dict[str, Any]

_VLANS = "/fabrics/default/vlans"
_NETWORK_FIELDS = frozenset(
    [
        "name",
        "description",
        "subnet",
        "provision_start_ip",
        "provision_end_ip",
        "gateway",
        "resolvers",
        "routes",
        "internet_nat",
    ]
)
_CHANGEABLE = _NETWORK_FIELDS - {"subnet", "internet_nat"}
_VLAN_FIELDS = frozenset(("name", "description", "vlan_id"))


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    _vlan_routes(cloudapi, route)
    napi = cloudapi.dc.napi
    fabrics = napi.fabrics

    def list_networks(account: Account, vlan: str) -> Response:
        return page([network_view(network) for network in fabrics.networks(fabrics.vlan(account["uuid"], vlan))])

    def create(account: Account, vlan: str) -> Response:
        given = asked()
        with network_refusals():
            strict(given, _NETWORK_FIELDS)
            return reply(network_view(fabrics.create_network(fabrics.vlan(account["uuid"], vlan), given)), 201)

    def get(account: Account, vlan: str, uuid: str) -> Response:
        return reply(network_view(fabrics.network(fabrics.vlan(account["uuid"], vlan), uuid)))

    def update(account: Account, vlan: str, uuid: str) -> Response:
        network, given = fabrics.network(fabrics.vlan(account["uuid"], vlan), uuid), asked()
        with network_refusals():
            strict(given, _CHANGEABLE)
            return reply(network_view(napi.update_network(network, given)))

    def delete(account: Account, vlan: str, uuid: str) -> Response:
        network = fabrics.network(fabrics.vlan(account["uuid"], vlan), uuid)
        with network_refusals():
            napi.delete_network(network["uuid"])
        return reply(None, 204)

    networks = f"{_VLANS}/<vlan>/networks"
    route(networks, list_networks)
    route(networks, create, "POST")
    route(f"{networks}/<uuid>", get)
    route(f"{networks}/<uuid>", update, "PUT")
    route(f"{networks}/<uuid>", delete, "DELETE")


def _vlan_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    fabrics = cloudapi.dc.napi.fabrics

    def create(account: Account) -> Response:
        with network_refusals():
            strict(given := asked(), _VLAN_FIELDS)
            return reply(_vlan(fabrics.create_vlan(account["uuid"], given)), 201)

    def update(account: Account, vlan: str) -> Response:
        with network_refusals():
            strict(given := asked(), _VLAN_FIELDS - {"vlan_id"})
            return reply(_vlan(fabrics.update_vlan(fabrics.vlan(account["uuid"], vlan), given)), 202)

    def delete(account: Account, vlan: str) -> Response:
        with network_refusals():
            fabrics.delete_vlan(fabrics.vlan(account["uuid"], vlan))
        return reply(None, 204)

    route(_VLANS, lambda account: page([_vlan(vlan) for vlan in fabrics.vlans(account["uuid"])]))
    route(_VLANS, create, "POST")
    route(f"{_VLANS}/<vlan>", lambda account, vlan: reply(_vlan(fabrics.vlan(account["uuid"], vlan))))
    route(f"{_VLANS}/<vlan>", update, "PUT")
    route(f"{_VLANS}/<vlan>", delete, "DELETE")


def _vlan(vlan: Shown) -> Shown:
    return {name: vlan[name] for name in ("vlan_id", "name", "description") if name in vlan}
