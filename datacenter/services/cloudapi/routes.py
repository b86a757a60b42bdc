"""CloudAPI's routes. Everything but the ping is signed and stays inside one account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from datacenter.restify import RestError, body, not_found, reply, service
from datacenter.services.cloudapi import machines, versions
from datacenter.services.cloudapi.authentication import authenticate, authorize

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

QUERY_LIMIT = 1000

_PACKAGE_FILTERS = frozenset(("name", "memory", "disk", "swap", "lwps", "vcpus", "version", "group"))
_IMAGE_FILTERS = frozenset(("name", "version", "os", "public", "state", "owner", "type"))

View = Callable[..., Response]


def make_app(cloudapi: CloudApi) -> Flask:
    app = service("cloudapi", "cloudapi")
    app.before_request(_choose_version)

    def finish(response: Response) -> Response:
        headers = response.headers
        headers["Api-Version"] = g.get("api_version", versions.VERSIONS[-1])
        headers["Request-Id"] = g.request_id
        headers["Response-Time"] = "0"
        headers["Triton-Datacenter-Name"] = cloudapi.dc.settings.name
        return response

    app.after_request(finish)

    @app.get("/--ping")
    def ping() -> Response:
        """Anyone may ask; who signs the request learns whether the key is good."""
        if "Authorization" in request.headers:
            authenticate(cloudapi.dc.mahi)
        return reply({"ping": "pong", "cloudapi": {"versions": list(versions.VERSIONS)}})

    def route(path: str, view: View, method: str = "GET") -> None:
        """Add a view that is given the account it may work on."""

        def signed(account: str, **names: str) -> Response:
            return view(authorize(cloudapi.dc.mahi, account), **names)

        app.add_url_rule(f"/<account>{path}", f"{method} {path}", signed, methods=[method])

    _account_routes(cloudapi, route)
    _key_routes(cloudapi, route)
    _resource_routes(cloudapi, route)
    return app


def _account_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    def own_url() -> str:
        return request.host_url.rstrip("/")

    def datacenter(_account: Account, name: str) -> Response:
        if name != cloudapi.dc.settings.name:
            raise not_found(f"{name} does not exist")
        moved = {"code": "ResourceMoved", "message": own_url()}
        return reply(moved, 302, Location=own_url())

    route("", lambda account: reply(cloudapi.account(account)))
    route("/services", lambda _: reply(cloudapi.services(own_url())))
    route("/datacenters", lambda _: reply({cloudapi.dc.settings.name: own_url()}))
    route("/datacenters/<name>", datacenter)
    route("/config", lambda account: reply(cloudapi.config(account)))
    route("/config", lambda account: reply(cloudapi.set_config(account, _object())), "PUT")
    route("/limits", lambda account: reply(cloudapi.limits(account)))


def _key_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    def create(account: Account) -> Response:
        given = _object()
        line, name = given.get("key"), given.get("name")
        if not isinstance(line, str) or not isinstance(name, str | None):
            raise RestError(409, "InvalidArgument", "key must be an OpenSSH public key, name a string")
        before = account["keys"].keys()
        changed = cloudapi.dc.mahi.add_key(account["uuid"], line, name)
        added = next(iter(changed["keys"].keys() - before), None)
        if added is None:
            raise RestError(409, "InvalidArgument", "the account has this key already")
        return reply(cloudapi.key(changed, added), 201)

    def delete(account: Account, name: str) -> Response:
        cloudapi.dc.mahi.remove_key(account["uuid"], name)
        return reply(None, 204)

    route("/keys", lambda account: reply(cloudapi.keys(account)))
    route("/keys", create, "POST")
    route("/keys/<name>", lambda account, name: reply(cloudapi.key(account, name)))
    route("/keys/<name>", delete, "DELETE")


def _resource_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    def list_machines(account: Account) -> Response:
        filters = {
            name: value
            for name, value in request.args.items()
            if name in machines.FILTERS or name == "tombstone" or name.startswith("tag.")
        }
        return _page(cloudapi.machines(account, filters))

    def get_machine(account: Account, uuid: str) -> Response:
        return reply(*cloudapi.machine(account, uuid))

    route("/machines", list_machines)
    route("/machines/<uuid>", get_machine)
    route("/packages", lambda account: reply(cloudapi.packages(account, _filters(_PACKAGE_FILTERS))))
    route("/packages/<name>", lambda account, name: reply(cloudapi.package(account, name)))
    route("/networks", lambda account: _page(cloudapi.networks(account)))
    route("/networks/<uuid>", lambda account, uuid: reply(cloudapi.network(account, uuid)))
    route("/images", lambda account: reply(cloudapi.images(account, _filters(_IMAGE_FILTERS))))
    route("/images/<uuid>", lambda account, uuid: reply(cloudapi.image(account, uuid)))


def _choose_version() -> None:
    wanted = request.headers.get("Accept-Version") or request.headers.get("Api-Version") or "*"
    version = versions.choose(wanted)
    if version is None:
        raise RestError(400, "InvalidVersion", f"{wanted} is not supported by {request.method} {request.path}")
    g.api_version = version


def _filters(allowed: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name in allowed}


def _object() -> dict[str, Any]:
    given = body()
    if not isinstance(given, dict):
        raise RestError(400, "InvalidContent", "body must be a JSON object")
    return given


def _page(found: list[dict[str, Any]]) -> Response:
    """A stretch of a list, with the headers that say how long the whole is."""
    offset, limit = _number("offset", 0), _number("limit", QUERY_LIMIT)
    if not 1 <= limit <= QUERY_LIMIT:
        raise RestError(409, "InvalidArgument", f"limit must be a number between 1 and {QUERY_LIMIT}")
    shown = found[offset : offset + limit]
    return reply(shown, x_resource_count=str(len(found)), x_query_limit=str(limit))


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal():
        raise RestError(409, "InvalidArgument", f"{name} must be a number")
    return int(text)
