"""CNAPI's routes about servers: list, get, change, what agents post, capacity, allocation, ping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from datacenter.restify import RestError, is_uuid, params, reply, truthy
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


def server_routes(cnapi: Cnapi) -> Blueprint:
    routes = Blueprint("servers", __name__)
    servers = cnapi.servers

    @routes.get("/ping")
    def ping() -> Response:
        """Say that all is up. The parts a real CNAPI leans on are all in this process."""
        return reply({"ready": True, "services": {"workflow": "online", "moray": "online", "amqp": "online"}})

    @routes.get("/servers")
    def list_servers() -> Response:
        """List servers; every unknown parameter is refused."""
        asked = params()
        unknown = sorted(asked.keys() - LIST_PARAMS)
        if unknown:
            raise RestError(409, "InvalidArgument", f"unknown parameters: {', '.join(unknown)}")
        extras = _extras(asked.get("extras", ""))
        offset, limit = _number(asked, "offset", 0, 0), _number(asked, "limit", MAX_LIMIT, 1)
        found = [server for server in servers.all() if _wanted(server, asked)][offset : offset + limit]
        views = [servers.view(server, extras) for server in found]
        if asked.get("fields"):
            names = str(asked["fields"]).split(",")
            views = [{name: view[name] for name in names if name in view} for view in views]
        return reply(views)

    @routes.get("/servers/<uuid>")
    def get_server(uuid: str) -> Response:
        _check_uuid(uuid)
        return reply(servers.view(servers.get(uuid)))

    @routes.post("/servers/<uuid>")
    def update_server(uuid: str) -> Response:
        _check_uuid(uuid)
        servers.update(uuid, {key: value for key, value in params().items() if key in CHANGEABLE})
        return reply(status=204)

    @routes.delete("/servers/<uuid>")
    def delete_server(uuid: str) -> Response:
        _check_uuid(uuid)
        servers.delete(uuid)
        return reply(status=204)

    @routes.get("/servers/<uuid>/sysinfo")
    def get_sysinfo(uuid: str) -> Response:
        _check_uuid(uuid)
        return reply({"sysinfo": servers.get(uuid)["sysinfo"]})

    @routes.post("/servers/<uuid>/sysinfo")
    def post_sysinfo(uuid: str) -> Response:
        """An agent introduces its server, at its every start."""
        _check_uuid(uuid)
        sysinfo = params().get("sysinfo")
        if not isinstance(sysinfo, dict):
            errors = [{"field": "sysinfo", "code": "Invalid", "message": "value is not an object."}]
            raise RestError(500, "InvalidParameters", "Request parameters failed validation", errors)
        servers.register(uuid, sysinfo)
        cnapi.node_started(uuid)
        return reply(status=200)

    @routes.post("/servers/<uuid>/events/heartbeat")
    def heartbeat(uuid: str) -> Response:
        _check_uuid(uuid)
        servers.heard(uuid)
        return reply(status=204)

    @routes.post("/servers/<uuid>/events/status")
    def status(uuid: str) -> Response:
        _check_uuid(uuid)
        servers.report(uuid, params())
        return reply(status=204)

    @routes.post("/capacity")
    def capacity() -> Response:
        """What is unreserved on the servers asked for, or on all; reserved servers are left out."""
        asked = params().get("servers")
        if asked is not None and not isinstance(asked, list):
            raise _invalid([{"field": "servers", "code": "Invalid", "message": "value was not an array"}])
        chosen = [servers.get(uuid) for uuid in asked] if asked is not None else servers.all()
        free = {server["uuid"]: servers.capacity(server) for server in chosen if not server["reserved"]}
        return reply({"capacities": free, "errors": {}} if free or asked else {"capacities": free})

    @routes.post("/allocate")
    def allocate() -> Response:
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
        server, steps = cnapi.weigh(asked["vm"], asked.get("package"), asked["image"], wanted)
        return reply({"server": servers.view(server), "steps": steps, "imgapiPeers": []})

    return routes


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
