"""CNAPI's routes about servers: list, get, change, what agents post, capacity, allocation, ping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from datacenter.restify import RestError, is_uuid, params, reply, route_table, truthy
from datacenter.services.cnapi.servers import EXTRAS

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

Doc = dict[str, Any]

LIST_PARAMS = frozenset(
    {"uuids", "hostname", "setup", "headnode", "reserved", "reservoir", "extras", "fields", "limit", "offset"},
)
FLAGS = ("setup", "headnode", "reserved", "reservoir")
CHANGEABLE = frozenset(
    {
        "comments",
        "reserved",
        "reservoir",
        "reservation_ratio",
        "overprovision_ratios",
        "traits",
        "rack_identifier",
        "setup",
        "boot_platform",
        "boot_params",
        "default_console",
        "serial",
        "transitional_status",
    },
)
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
                "POST /servers/<uuid>": self.update_server,
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
        unknown = sorted(asked.keys() - LIST_PARAMS)
        if unknown:
            raise RestError(409, "InvalidArgument", f"unknown parameters: {', '.join(unknown)}")
        extras = _extras(asked.get("extras", ""))
        offset, limit = _number(asked, "offset", 0, 0), _number(asked, "limit", MAX_LIMIT, 1)
        found = [server for server in self._servers.all() if _wanted(server, asked)][offset : offset + limit]
        views = [self._servers.view(server, extras) for server in found]
        if asked.get("fields"):
            names = str(asked["fields"]).split(",")
            views = [{name: view[name] for name in names if name in view} for view in views]
        return reply(views)

    def get_server(self, uuid: str) -> Response:
        _check_uuid(uuid)
        return reply(self._servers.view(self._servers.get(uuid)))

    def update_server(self, uuid: str) -> Response:
        _check_uuid(uuid)
        self._servers.update(uuid, {key: value for key, value in params().items() if key in CHANGEABLE})
        return reply(status=204)

    def delete_server(self, uuid: str) -> Response:
        _check_uuid(uuid)
        self._servers.delete(uuid)
        return reply(status=204)

    def get_sysinfo(self, uuid: str) -> Response:
        _check_uuid(uuid)
        return reply({"sysinfo": self._servers.get(uuid)["sysinfo"]})

    def post_sysinfo(self, uuid: str) -> Response:
        """An agent introduces its server, at its every start."""
        _check_uuid(uuid)
        sysinfo = params().get("sysinfo")
        if not isinstance(sysinfo, dict):
            errors = [{"field": "sysinfo", "code": "Invalid", "message": "value is not an object."}]
            raise RestError(500, "InvalidParameters", "Request parameters failed validation", errors)
        self._servers.register(uuid, sysinfo)
        self._cnapi.node_started(uuid)
        return reply(status=200)

    def heartbeat(self, uuid: str) -> Response:
        _check_uuid(uuid)
        self._servers.heard(uuid)
        return reply(status=204)

    def status(self, uuid: str) -> Response:
        _check_uuid(uuid)
        self._servers.report(uuid, params())
        return reply(status=204)

    def capacity(self) -> Response:
        """What is unreserved on the servers asked for, or on all; reserved servers are left out."""
        asked = params().get("servers")
        if asked is not None and not isinstance(asked, list):
            raise _invalid([{"field": "servers", "code": "Invalid", "message": "value was not an array"}])
        chosen = [self._servers.get(uuid) for uuid in asked] if asked is not None else self._servers.all()
        free = {server["uuid"]: self._servers.capacity(server) for server in chosen if not server["reserved"]}
        return reply({"capacities": free, "errors": {}} if free or asked else {"capacities": free})

    def allocate(self) -> Response:
        """Say where a VM would be put; nothing is made or reserved."""
        asked = params()
        errors = [_not_an_object(name, asked) for name in ("image", "vm") if not isinstance(asked.get(name), dict)]
        requirements = asked.get("nic_tag_requirements")
        tags = asked.get("nic_tags")
        if requirements is None and not isinstance(tags, list):
            errors.append({"field": "nic_tags", "code": "Invalid", "message": "value was not an array"})
        if errors:
            raise _invalid(errors)
        wanted = requirements if isinstance(requirements, list) else [[tag] for tag in tags or ()]
        server, steps = self._cnapi.weigh(asked["vm"], asked.get("package"), asked["image"], wanted)
        return reply({"server": self._servers.view(server, OF_A_CHOICE), "steps": steps, "imgapiPeers": []})


def _invalid(errors: list[Doc]) -> RestError:
    return RestError(500, "InvalidParameters", "Request parameters failed validation", errors)


def _not_an_object(name: str, asked: Doc) -> Doc:
    found = "[object Undefined]" if name not in asked else str(asked[name])
    return {"field": name, "code": "Invalid", "message": f"value is not an object. (was: {found})"}


def _check_uuid(uuid: str) -> None:
    if not is_uuid(uuid):
        raise RestError(409, "InvalidArgument", f"{request.path}: {uuid} is not a UUID")


def _extras(text: str) -> set[str]:
    names = set(filter(None, text.split(",")))
    unknown = names - {*EXTRAS, "all"}
    if unknown:
        raise RestError(409, "InvalidArgument", f"unknown extras: {', '.join(sorted(unknown))}")
    return names


def _number(asked: Doc, name: str, default: int, least: int) -> int:
    """A page number. Raises RestError 400 for anything that is none, and for a limit over 1000."""
    text = str(asked.get(name, default))
    if not text.isdecimal() or int(text) < least or (name == "limit" and int(text) > MAX_LIMIT):
        raise RestError(400, "InvalidArgument", f"invalid {name}: {text}")
    return int(text)


def _wanted(server: Doc, asked: Doc) -> bool:
    if "uuids" in asked and server["uuid"] not in str(asked["uuids"]).split(","):
        return False
    if "hostname" in asked and server["hostname"] != asked["hostname"]:
        return False
    return all(server.get(flag) == truthy(asked[flag]) for flag in FLAGS if flag in asked)
