"""NAPI's routes for tags, networks, pools, nics and addresses."""

from __future__ import annotations

import zlib
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import RestError, encode, is_uuid, not_found, params, reply, service, truthy
from datacenter.services.napi import aggregation_routes, fabric_routes, macs, networks, nic_tags, nics, pools, records
from datacenter.services.napi.errors import InvalidParameters, invalid, known, missing, strict
from datacenter.services.napi.networks import Network, provisionable, read_address

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi
    from datacenter.services.napi.nics import Nic

_NIC_PARAMS = frozenset(
    (
        "mac",
        "primary",
        "network_uuid",
        "ip",
        "nic_tag",
        "vlan_id",
        "nic_tags_available",
        "check_owner",
        "reserved",
        "owner_uuid",
        "belongs_to_type",
        "belongs_to_uuid",
        "state",
        "cn_uuid",
        "nic_tags_provided",
        "model",
        *nics.SPOOF_FLAGS,
    )
)


def make_app(napi: Napi) -> Flask:
    app = service("napi", "Triton Networking API")

    @app.get("/ping")
    def ping() -> Response:
        config = {"fabrics_enabled": True, "subnet_alloc_enabled": True}
        return reply({"config": config, "healthy": True, "services": {"moray": "online"}, "status": "OK"})

    _tag_routes(app, napi)
    _network_routes(app, napi)
    _pool_routes(app, napi)
    _nic_routes(app, napi)
    _address_routes(app, napi)
    fabric_routes.add_routes(app, napi)
    aggregation_routes.add_routes(app, napi)
    return app


def tagged(document: dict[str, Any]) -> Response:
    """A 200 reply with the document's Etag. Raises 412 when the caller asked for another version."""
    etag = f"{zlib.crc32(encode(document)):08X}"
    return reply(document, Etag=etag)


def check_version(document: dict[str, Any]) -> None:
    """Honour If-Match before a change. Raises 412 PreconditionFailed."""
    wanted = request.headers.get("If-Match")
    etag = f"{zlib.crc32(encode(document)):08X}"
    if wanted is not None and wanted.strip('"') not in ("*", etag):
        raise RestError(412, "PreconditionFailed", f"if-match '{wanted}' didn't match etag '{etag}'")


def _tag_routes(app: Flask, napi: Napi) -> None:
    @app.get("/nic_tags")
    def list_nic_tags() -> Response:
        strict(params(), frozenset(("limit", "offset")))
        return reply(napi.tags.all()[networks.page(request.args)])

    @app.post("/nic_tags")
    def create_nic_tag() -> Response:
        return tagged(napi.tags.create(known(params(), nic_tags.SETTABLE)))

    @app.get("/nic_tags/<tag>")
    def get_nic_tag(tag: str) -> Response:
        return tagged(napi.tags.get(tag))

    @app.put("/nic_tags/<tag>")
    def update_nic_tag(tag: str) -> Response:
        found = napi.tags.get(tag)
        check_version(found)
        return tagged(napi.tags.update(found, known(params(), nic_tags.SETTABLE - {"uuid"})))

    @app.delete("/nic_tags/<tag>")
    def delete_nic_tag(tag: str) -> Response:
        found = napi.tags.get(tag)
        check_version(found)
        napi.tags.delete(found)
        return reply(None, 204)


def _network_routes(app: Flask, napi: Napi) -> None:
    @app.get("/networks")
    def list_networks() -> Response:
        bag = params()
        strict(bag, networks.LIST_PARAMS)
        return reply(napi.networks(**bag))

    @app.post("/networks")
    def create_network() -> Response:
        return tagged(napi.create_network(known(params(), networks.SETTABLE)))

    @app.get("/networks/<uuid>")
    def get_network(uuid: str) -> Response:
        return tagged(_allowed(_network(napi, uuid), "network"))

    @app.put("/networks/<uuid>")
    def update_network(uuid: str) -> Response:
        network = _network(napi, uuid)
        check_version(network)
        return tagged(napi.update_network(network, known(params(), networks.CHANGEABLE)))

    @app.delete("/networks/<uuid>")
    def delete_network(uuid: str) -> Response:
        network = _network(napi, uuid)
        check_version(network)
        napi.delete_network(network["uuid"])
        return reply(None, 204)


def _pool_routes(app: Flask, napi: Napi) -> None:
    @app.get("/network_pools")
    def list_pools() -> Response:
        bag = params()
        strict(bag, networks.POOL_PARAMS)
        return reply(napi.pools.select(bag))

    @app.post("/network_pools")
    def create_pool() -> Response:
        return tagged(napi.pools.put(known(params(), pools.SETTABLE)))

    @app.get("/network_pools/<uuid>")
    def get_pool(uuid: str) -> Response:
        return tagged(_allowed(_pool(napi, uuid), "network pool"))

    @app.put("/network_pools/<uuid>")
    def update_pool(uuid: str) -> Response:
        pool = _pool(napi, uuid)
        check_version(pool)
        return tagged(napi.pools.put({**pool, **known(params(), pools.SETTABLE), "uuid": uuid}))

    @app.delete("/network_pools/<uuid>")
    def delete_pool(uuid: str) -> Response:
        check_version(_pool(napi, uuid))
        napi.pools.delete(uuid)
        return reply(None, 204)


def _nic_routes(app: Flask, napi: Napi) -> None:
    @app.get("/nics")
    def list_nics() -> Response:
        bag = params()
        strict(bag, nics.LIST_PARAMS)
        return reply(napi.nics.search(bag))

    @app.post("/nics")
    def create_nic() -> Response:
        return tagged(napi.nics.create(known(params(), _NIC_PARAMS)))

    @app.post("/networks/<network_uuid>/nics")
    def provision_nic(network_uuid: str) -> Response:
        return tagged(napi.nics.create({**known(params(), _NIC_PARAMS), "network_uuid": network_uuid}))

    @app.get("/nics/<mac>")
    def get_nic(mac: str) -> Response:
        return tagged(_nic(napi, mac))

    @app.put("/nics/<mac>")
    def update_nic(mac: str) -> Response:
        nic = _nic(napi, mac)
        check_version(nic)
        return tagged(napi.nics.update(nic["mac"], known(params(), _NIC_PARAMS - {"mac"})))

    @app.delete("/nics/<mac>")
    def delete_nic(mac: str) -> Response:
        nic = _nic(napi, mac)
        check_version(nic)
        napi.nics.delete(nic["mac"])
        return reply(None, 204)


def _address_routes(app: Flask, napi: Napi) -> None:
    @app.get("/networks/<uuid>/ips")
    def list_ips(uuid: str) -> Response:
        strict(request.args.to_dict(), records.FILTERS | {"limit", "offset"})
        found = [ip for ip in napi.records.all(_network(napi, uuid)).values() if records.passes(ip, request.args)]
        return reply(found[networks.page(request.args)])

    @app.get("/networks/<uuid>/ips/<ip>")
    def get_ip(uuid: str, ip: str) -> Response:
        network = _network(napi, uuid)
        return tagged(napi.records.get(network, _address(napi, network, ip)))

    @app.put("/networks/<uuid>/ips/<ip>")
    def update_ip(uuid: str, ip: str) -> Response:
        network, bag = _network(napi, uuid), params()
        address = _address(napi, network, ip)
        given = {name: value for name, value in bag.items() if name not in ("uuid", "ip")}
        strict(given, records.CHANGES)
        check_version(napi.records.get(network, address))
        return tagged(napi.records.update(network, address, given))

    @app.get("/search/ips")
    def search_ips() -> Response:
        strict(request.args.to_dict(), records.FILTERS | {"ip", "fabric"})
        text = request.args.get("ip")
        if text is None:
            raise InvalidParameters(missing("ip"))
        address = read_address(text)
        if address is None:
            raise InvalidParameters(invalid("ip", "invalid IP address"))
        homes = [napi.network(uuid) for uuid, subnet in napi.subnets().items() if address in subnet]
        if "fabric" in request.args:
            fabric = truthy(request.args["fabric"])
            homes = [network for network in homes if network and network.get("fabric", False) == fabric]
        if not homes:
            raise not_found("No networks found containing that IP address")
        found = [napi.records.get(network, str(address)) for network in homes if network]
        return reply([ip for ip in found if records.passes(ip, request.args)])


def _network(napi: Napi, uuid: str) -> Network:
    """One network. Raises 404, and 422 for what is neither a uuid nor ``admin``."""
    if uuid != "admin":
        _check_uuid(uuid)
    network = napi.network(uuid)
    if network is None:
        raise not_found("network not found")
    return network


def _check_uuid(uuid: str) -> None:
    if not is_uuid(uuid):
        raise InvalidParameters(invalid("uuid", "invalid UUID"))


def _pool(napi: Napi, uuid: str) -> Network:
    _check_uuid(uuid)
    pool = napi.pool(uuid)
    if pool is None:
        raise not_found("network pool not found")
    return pool


def _allowed(document: Network, kind: str) -> Network:
    owner = request.args.get("provisionable_by")
    if owner is None:
        return document
    if not is_uuid(owner):
        raise InvalidParameters(invalid("provisionable_by", "invalid UUID"))
    if not provisionable(document, owner):
        raise RestError(403, "NotAuthorized", f"owner cannot provision on {kind}")
    return document


def _nic(napi: Napi, mac: str) -> Nic:
    if macs.read(mac) is None:
        raise InvalidParameters(invalid("mac", "invalid MAC address"))
    nic = napi.nics.get(mac)
    if nic is None:
        raise not_found("nic not found")
    return nic


def _address(napi: Napi, network: Network, ip: str) -> str:
    """An address of a network. Raises 404, in NAPI's words, for one that cannot be on it."""
    try:
        address = ip_address(ip)
    except ValueError:
        raise not_found("Invalid IP address") from None
    if not isinstance(address, IPv4Address):
        raise not_found("IP and subnet are of different address families")
    if address not in napi.subnet(network["uuid"]):
        raise not_found("IP is not in subnet")
    return str(address)
