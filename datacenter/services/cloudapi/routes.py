"""CloudAPI's routes. Everything but the ping is signed and stays inside one account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from datacenter.restify import RestError, body, not_found, reply, service
from datacenter.services.cloudapi import fabric_routes, machine_routes, rule_routes, versions
from datacenter.services.cloudapi.authentication import authenticate, authorize
from datacenter.services.cloudapi.paging import page

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

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
    _further_routes(cloudapi, route)
    for module in (machine_routes, rule_routes, fabric_routes):
        module.add_routes(cloudapi, route)
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
    route("/packages", lambda account: reply(cloudapi.packages(account, _filters(_PACKAGE_FILTERS))))
    route("/packages/<name>", lambda account, name: reply(cloudapi.package(account, name)))
    route("/networks", lambda account: page(cloudapi.networks(account)))
    route("/networks/<uuid>", lambda account, uuid: reply(cloudapi.network(account, uuid)))
    route("/images", lambda account: reply(cloudapi.images(account, _filters(_IMAGE_FILTERS))))
    route("/images/<uuid>", lambda account, uuid: reply(cloudapi.image(account, uuid)))


def _further_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    """Sub-users can be seen; of roles, policies and volumes this data center has none."""

    def users(account: Account) -> list[dict[str, Any]]:
        known = cloudapi.dc.mahi.users.of(account["uuid"])
        return [{"id": user["uuid"], "login": user["login"], "email": f"{user['login']}@localhost"} for user in known]

    def user(account: Account, name: str) -> Response:
        for shown in users(account):
            if name in (shown["id"], shown["login"]):
                return reply(shown)
        raise not_found(f"{name} does not exist")

    route("/users", lambda account: page(users(account)))
    route("/users/<name>", user)
    for nothing in ("roles", "policies", "volumes", "volumesizes"):
        route(f"/{nothing}", lambda _: page([]))


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
