"""NAPI's routes for the accounts' own fabrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import is_uuid, params, reply
from datacenter.services.napi import routes
from datacenter.services.napi.errors import InvalidParameters, invalid, strict
from datacenter.services.napi.fabrics import LAST_VLAN, VLAN_RULE
from datacenter.services.napi.networks import Network, choices, page

if TYPE_CHECKING:
    from datacenter.services.napi.fabrics import Vlan
    from datacenter.services.napi.model import Napi

_VLAN_PARAMS = frozenset(["owner_uuid", "vlan_id", "name", "description"])
_CREATE_PARAMS = frozenset(
    [
        "owner_uuid",
        "vlan_id",
        "name",
        "description",
        "subnet",
        "provision_start_ip",
        "provision_end_ip",
        "gateway",
        "resolvers",
        "routes",
        "internet_nat",
        "mtu",
        "uuid",
        "subnet_alloc",
        "subnet_prefix",
        "family",
    ]
)
_UPDATE_PARAMS = frozenset(
    [
        "owner_uuid",
        "vlan_id",
        "network_uuid",
        "name",
        "description",
        "provision_start_ip",
        "provision_end_ip",
        "gateway",
        "resolvers",
        "routes",
        "internet_nat",
        "mtu",
    ]
)
_IN_PATH = ("owner_uuid", "vlan_id", "network_uuid")


def add_routes(app: Flask, napi: Napi) -> None:
    _vlan_routes(app, napi)
    fabrics = napi.fabrics
    base = "/fabrics/<owner_uuid>/vlans/<vlan_id>/networks"

    @app.get(base)
    def list_fabric_networks(owner_uuid: str, vlan_id: str) -> Response:
        found = [_shown(network) for network in fabrics.networks(_vlan(napi, owner_uuid, vlan_id))]
        return reply(_listed(found))

    @app.post(base)
    def create_fabric_network(owner_uuid: str, vlan_id: str) -> Response:
        vlan = _vlan(napi, owner_uuid, vlan_id)
        return routes.tagged(_shown(fabrics.create_network(vlan, _given(_CREATE_PARAMS))))

    @app.get(f"{base}/<network_uuid>")
    def get_fabric_network(owner_uuid: str, vlan_id: str, network_uuid: str) -> Response:
        return routes.tagged(_shown(fabrics.network(_vlan(napi, owner_uuid, vlan_id), network_uuid)))

    @app.put(f"{base}/<network_uuid>")
    def update_fabric_network(owner_uuid: str, vlan_id: str, network_uuid: str) -> Response:
        network = fabrics.network(_vlan(napi, owner_uuid, vlan_id), network_uuid)
        routes.check_version(_shown(network))
        return routes.tagged(_shown(napi.update_network(network, _given(_UPDATE_PARAMS))))

    @app.delete(f"{base}/<network_uuid>")
    def delete_fabric_network(owner_uuid: str, vlan_id: str, network_uuid: str) -> Response:
        network = fabrics.network(_vlan(napi, owner_uuid, vlan_id), network_uuid)
        routes.check_version(_shown(network))
        napi.delete_network(network["uuid"])
        return reply(None, 204)


def _vlan_routes(app: Flask, napi: Napi) -> None:
    fabrics = napi.fabrics

    @app.get("/fabrics/<owner_uuid>/vlans")
    def list_vlans(owner_uuid: str) -> Response:
        return reply(_listed(fabrics.vlans(_owner(owner_uuid))))

    @app.post("/fabrics/<owner_uuid>/vlans")
    def create_vlan(owner_uuid: str) -> Response:
        bag = params()
        strict(bag, _VLAN_PARAMS)
        return routes.tagged(fabrics.create_vlan(_owner(owner_uuid), bag))

    @app.get("/fabrics/<owner_uuid>/vlans/<vlan_id>")
    def get_vlan(owner_uuid: str, vlan_id: str) -> Response:
        return routes.tagged(_vlan(napi, owner_uuid, vlan_id))

    @app.put("/fabrics/<owner_uuid>/vlans/<vlan_id>")
    def update_vlan(owner_uuid: str, vlan_id: str) -> Response:
        bag = params()
        strict(bag, _VLAN_PARAMS)
        return routes.tagged(fabrics.update_vlan(_vlan(napi, owner_uuid, vlan_id), bag))

    @app.delete("/fabrics/<owner_uuid>/vlans/<vlan_id>")
    def delete_vlan(owner_uuid: str, vlan_id: str) -> Response:
        fabrics.delete_vlan(_vlan(napi, owner_uuid, vlan_id))
        return reply(None, 204)


def _listed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stretch of a list that was asked for, cut down to ``fields`` if any are named. Raises 422."""
    strict(request.args.to_dict(), frozenset(("limit", "offset", "fields")))
    found = found[page(request.args)]
    if "fields" not in request.args:
        return found
    fields = [name for text in request.args.getlist("fields") for name in choices(text)]
    return [{name: document[name] for name in fields if name in document} for document in found]


def _owner(owner_uuid: str) -> str:
    if not is_uuid(owner_uuid):
        raise InvalidParameters(invalid("owner_uuid", "invalid UUID"))
    return owner_uuid


def _vlan(napi: Napi, owner_uuid: str, vlan_id: str) -> Vlan:
    """The VLAN of a path. Raises 404, and 422 for what can be none."""
    owner = _owner(owner_uuid)
    if not (vlan_id.isdecimal() and int(vlan_id) <= LAST_VLAN):
        raise InvalidParameters(invalid("vlan_id", VLAN_RULE))
    return napi.fabrics.vlan(owner, str(int(vlan_id)))


def _given(allowed: frozenset[str]) -> dict[str, Any]:
    bag = params()
    strict(bag, allowed)
    return {name: value for name, value in bag.items() if name not in _IN_PATH}


def _shown(network: Network) -> Network:
    """A fabric network as its owner sees it: one owner, not a list."""
    return {name: value for name, value in network.items() if name != "owner_uuids"}
