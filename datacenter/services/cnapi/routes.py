"""CNAPI's routes about servers: list, get, change, what agents post, capacity, allocation, ping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from datacenter.restify import RestError, is_uuid, params, reply, route_table, truthy
from datacenter.services.cnapi import parameters
from datacenter.services.cnapi.servers import EXTRAS

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

Doc = dict[str, Any]

CSV = r"[-a-z0-9_]+(,[-a-z0-9_]+)*"
FLAGS = ("setup", "headnode", "reserved", "reservoir")
LISTED = {
    **{name: parameters.flag(name) for name in FLAGS},
    **{name: parameters.matching(CSV, name) for name in ("uuids", "extras", "fields")},
    "hostname": parameters.string,
    "limit": lambda _: None,
    "offset": lambda _: None,
}
CHANGEABLE = {
    "server_uuid": parameters.string,
    "agents": parameters.array,
    "boot_params": parameters.mapping,
    "boot_platform": parameters.string,
    "comments": parameters.string,
    "datacenter": parameters.string,
    "default_console": parameters.string,
    "next_reboot": parameters.moment,
    "overprovision_ratios": parameters.mapping,
    "rack_identifier": parameters.string,
    "reservation_ratio": parameters.share,
    "reserved": parameters.boolean,
    "reservoir": parameters.boolean,
    "serial": parameters.string,
    "setting_up": parameters.boolean,
    "setup": parameters.boolean,
    "traits": parameters.mapping,
    "transitional_status": parameters.string,
}
RATIOS = frozenset({"cpu", "ram", "disk", "io", "net"})
MAX_LIMIT = 1000
OF_A_CHOICE = ("agents", "memory", "disk", "sysinfo", "capacity")
"""What an allocation says of the server; its VMs may be very many."""


class ServerRoutes:
    """The routes of this module, each a method."""

    def __init__(self, cnapi: Cnapi) -> None:
        self._cnapi = cnapi
        self._servers = cnapi.servers

    def blueprint(self) -> Blueprint:
        return route_table(
            "servers",
            {
                "GET /ping": self.ping,
                "GET /servers": self.list_servers,
                "GET /servers/<uuid>": self.get_server,
                "POST /servers/<server_uuid>": self.update_server,
                "DELETE /servers/<uuid>": self.delete_server,
                "GET /servers/<uuid>/sysinfo": self.get_sysinfo,
                "POST /servers/<uuid>/sysinfo": self.post_sysinfo,
                "POST /servers/<uuid>/events/heartbeat": self.heartbeat,
                "POST /servers/<uuid>/events/status": self.status,
                "POST /capacity": self.capacity,
                "POST /allocate": self.allocate,
            },
        )

    def ping(self) -> Response:
        """Say that all is up. The parts a real CNAPI leans on are all in this process."""
        return reply({"ready": True, "services": {"workflow": "online", "moray": "online", "amqp": "online"}})

    def list_servers(self) -> Response:
        """List servers; every unknown parameter is refused."""
        asked = params()
        parameters.check(asked, LISTED)
        extras = _extras(asked.get("extras", ""))
        offset = parameters.bounded(asked, "offset", 0, 0, None)
        limit = parameters.bounded(asked, "limit", MAX_LIMIT, 1, MAX_LIMIT)
        found = [server for server in self._servers.all() if _wanted(server, asked)][offset : offset + limit]
        views = [self._servers.view(server, extras) for server in found]
        if asked.get("fields"):
            names = str(asked["fields"]).split(",")
            views = [{name: view[name] for name in names if name in view} for view in views]
        return reply(views)

    def get_server(self, uuid: str) -> Response:
        check_uuid(uuid)
        return reply(self._servers.view(self._servers.get(uuid)))

    def update_server(self, server_uuid: str) -> Response:
        """Change what an operator decides about a server; what its agent says of it comes with its sysinfo."""
        check_uuid(server_uuid)
        changes = params()
        parameters.check(changes, CHANGEABLE)
        _check_ratios(changes.get("overprovision_ratios") or {})
        self._servers.update(server_uuid, {key: value for key, value in changes.items() if key != "server_uuid"})
        return reply(status=204)

    def delete_server(self, uuid: str) -> Response:
        check_uuid(uuid)
        self._servers.delete(uuid)
        return reply(status=200)

    def get_sysinfo(self, uuid: str) -> Response:
        check_uuid(uuid)
        return reply({"sysinfo": self._servers.get(uuid)["sysinfo"]})

    def post_sysinfo(self, uuid: str) -> Response:
        """An agent introduces its server, at its every start."""
        check_uuid(uuid)
        sysinfo = params().get("sysinfo")
        if not isinstance(sysinfo, dict):
            raise parameters.invalid([("sysinfo", "value is not an object.")])
        self._servers.register(uuid, sysinfo)
        self._cnapi.node_started(uuid)
        return reply(status=200)

    def heartbeat(self, uuid: str) -> Response:
        check_uuid(uuid)
        self._servers.heard(uuid)
        self._cnapi.node_heard(uuid)
        return reply(status=204)

    def status(self, uuid: str) -> Response:
        check_uuid(uuid)
        self._servers.report(uuid, params())
        return reply(status=204)

    def capacity(self) -> Response:
        """What is unreserved on the servers asked for, or on all; reserved servers are left out."""
        asked = params().get("servers")
        if asked is not None and not isinstance(asked, list):
            raise parameters.invalid([("servers", "value was not an array")])
        chosen = [self._servers.get(uuid) for uuid in asked] if asked is not None else self._servers.all()
        free = {server["uuid"]: self._servers.capacity(server) for server in chosen if not server["reserved"]}
        return reply({"capacities": free, "errors": {}} if free or asked else {"capacities": free})

    def allocate(self) -> Response:
        """Say where a VM would be put; nothing is made or reserved."""
        asked = params()
        errors = [(name, wrong) for name in ("image", "vm") if (wrong := _not_an_object(name, asked))]
        requirements = asked.get("nic_tag_requirements")
        tags = asked.get("nic_tags")
        if requirements is None and not isinstance(tags, list):
            errors.append(("nic_tags", "value was not an array"))
        if "package" in asked and (wrong := parameters.mapping(asked["package"])):
            errors.append(("package", wrong))
        if requirements is not None and not _is_list_of_lists(requirements):
            errors.append(("nic_tag_requirements", "value was not an array of arrays"))
        if errors:
            raise parameters.invalid(errors)
        wanted = requirements if requirements is not None else [[tag] for tag in tags or ()]
        server, steps = self._cnapi.weigh(asked["vm"], asked.get("package"), asked["image"], wanted)
        return reply({"server": self._servers.view(server, OF_A_CHOICE), "steps": steps, "imgapiPeers": []})


def _not_an_object(name: str, asked: Doc) -> str | None:
    if name not in asked:
        return "value is not an object. (was: [object Undefined])"
    return parameters.mapping(asked[name])


def _is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tags, list) for tags in value)


def _check_ratios(ratios: Doc) -> None:
    """Refuse overprovision ratios of unknown resources, and those that are no sizes."""
    for key, ratio in ratios.items():
        if key not in RATIOS:
            raise RestError(409, "InvalidArgument", f"Invalid key {key}")
        if parameters.number(ratio):
            raise RestError(409, "InvalidArgument", f"Invalid type for {key}")
        if ratio < 0:
            raise RestError(409, "InvalidArgument", f"Invalid value for {key}")


def check_uuid(uuid: str) -> None:
    if not is_uuid(uuid):
        raise RestError(409, "InvalidArgument", f"{request.path}: {uuid} is not a UUID")


def _extras(text: str) -> set[str]:
    names = set(filter(None, text.split(",")))
    unknown = names - {*EXTRAS, "all"}
    if unknown:
        raise RestError(409, "InvalidArgument", f"unknown extras: {', '.join(sorted(unknown))}")
    return names


def _wanted(server: Doc, asked: Doc) -> bool:
    if "uuids" in asked and server["uuid"] not in str(asked["uuids"]).split(","):
        return False
    if "hostname" in asked and server["hostname"] != asked["hostname"]:
        return False
    return all(server.get(flag) == truthy(asked[flag]) for flag in FLAGS if flag in asked)
