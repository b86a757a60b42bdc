"""CloudAPI's routes to networks, pools, and the addresses of a network."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from flask import Response, request

from datacenter.restify import RestError, not_found, reply, truthy
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.paging import page
from datacenter.services.napi.networks import provisionable, read_address

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Shown = dict[str, Any]


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    def listed(account: Account) -> Response:
        found = cloudapi.networks(account)
        if truthy(request.args.get("fabric")):
            found = [network for network in found if network.get("fabric")]
        return page(found)

    route("/networks", listed)
    route("/networks/<uuid>", lambda account, uuid: reply(cloudapi.network(account, uuid)))
    _address_routes(cloudapi, route)


def _address_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    napi, admin = cloudapi.dc.napi, cloudapi.dc.mahi.admin_uuid

    def network(account: Account, uuid: str) -> Shown:
        """A network, not a pool, that the account may use. Raises 404, 409."""
        found = napi.network(uuid)
        if found is None and napi.pool(uuid) and provisionable(napi.pool(uuid) or {}, account["uuid"]):
            raise RestError(409, "InvalidArgument", f"cannot get IPs in a network pool: {uuid}")
        if found is None or found["uuid"] != uuid or not provisionable(found, account["uuid"]):
            raise not_found(f"{uuid} not found")
        return found

    def address(account: Account, uuid: str, ip: str) -> tuple[Shown, Shown]:
        """A network and what is known of one of its addresses, both for this account to see. Raises 404, 409."""
        home, wanted = network(account, uuid), read_address(ip)
        if wanted is None:
            raise RestError(409, "InvalidArgument", f'property "ip": must be an IPv4 address: {ip}')
        found = napi.records.get(home, str(wanted)) if wanted in napi.subnet(uuid) else None
        if found is None or (_public(home) and found.get("owner_uuid") != account["uuid"]):
            raise not_found(f"{ip} not found")
        return home, found

    def list_ips(account: Account, uuid: str) -> Response:
        home = network(account, uuid)
        found = [ip for ip in napi.records.all(home).values() if ip.get("belongs_to_uuid") or ip["reserved"]]
        if _public(home):
            found = [ip for ip in found if ip.get("owner_uuid") == account["uuid"]]
        return page([_shown(ip, account, admin) for ip in sorted(found, key=lambda ip: IPv4Address(ip["ip"]))])

    def get_ip(account: Account, uuid: str, ip: str) -> Response:
        return reply(_shown(address(account, uuid, ip)[1], account, admin))

    def update_ip(account: Account, uuid: str, ip: str) -> Response:
        reserved = _reserved()
        if _public(network(account, uuid)):
            raise RestError(409, "InvalidArgument", f"cannot update an IP on a public network: {uuid}")
        home, found = address(account, uuid, ip)
        if _managed(found, admin):
            raise RestError(409, "InvalidArgument", f"cannot update managed IP: {ip}")
        if found.get("owner_uuid", account["uuid"]) != account["uuid"]:
            raise RestError(409, "InvalidArgument", f"IP {ip} on network {uuid} is in use by another account")
        return reply(_shown(napi.records.update(home, found["ip"], {"reserved": reserved}), account, admin))

    route("/networks/<uuid>/ips", list_ips)
    route("/networks/<uuid>/ips/<ip>", get_ip)
    route("/networks/<uuid>/ips/<ip>", update_ip, "PUT")


def _public(network: Shown) -> bool:
    """Whether everybody may use a network: then each account sees its own addresses alone."""
    return not network.get("owner_uuids")


def _managed(ip: Shown, admin: str) -> bool:
    return ip.get("belongs_to_type") == "other" or ip.get("owner_uuid") == admin


def _shown(ip: Shown, account: Account, admin: str) -> Shown:
    """An address, with nothing of what belongs to the data center or to somebody else."""
    shown = {"ip": ip["ip"], "reserved": ip["reserved"], "managed": _managed(ip, admin)}
    if not shown["managed"] and ip.get("owner_uuid"):
        shown["owner_uuid"] = ip["owner_uuid"]
        if ip["owner_uuid"] == account["uuid"] and ip.get("belongs_to_uuid"):
            shown["belongs_to_uuid"] = ip["belongs_to_uuid"]
    return shown


def _reserved() -> bool:
    given = asked()
    if "reserved" not in given:
        raise RestError(409, "MissingParameter", "reserved is a required argument")
    if given["reserved"] not in (True, False, "true", "false"):
        raise RestError(409, "InvalidArgument", "reserved must be set to true or false")
    return truthy(given["reserved"])
