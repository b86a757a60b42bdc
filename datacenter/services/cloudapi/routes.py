"""CloudAPI's front: versions, headers, and the way from a path to the room that serves it.

Everything but the ping is signed and stays inside one account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from datacenter.restify import RestError, reply, service
from datacenter.services.cloudapi import (
    absent_routes,
    account_routes,
    fabric_routes,
    image_routes,
    machine_routes,
    network_routes,
    nic_routes,
    role_routes,
    rule_routes,
    snapshot_routes,
    user_routes,
    versions,
    volume_routes,
)
from datacenter.services.cloudapi.access import Access
from datacenter.services.cloudapi.actions import route_key
from datacenter.services.cloudapi.authentication import authenticate

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import CloudApi

View = Callable[..., Response]


def make_app(cloudapi: CloudApi, access: Access) -> Flask:
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
        key = route_key(method, path)

        def signed(account: str, **names: str) -> Response:
            owner = access.admit(key, account)
            return access.finish(owner, view(owner, **names))

        app.add_url_rule(f"/<account>{path}", f"{method} {path}", signed, methods=[method])

    for module in (
        account_routes,
        user_routes,
        image_routes,
        network_routes,
        machine_routes,
        nic_routes,
        snapshot_routes,
        rule_routes,
        fabric_routes,
        volume_routes,
    ):
        module.add_routes(cloudapi, route)
    absent_routes.add_routes(cloudapi, route)
    role_routes.add_routes(cloudapi, access, route)
    return app


def _choose_version() -> None:
    wanted = request.headers.get("Accept-Version") or request.headers.get("Api-Version") or "*"
    version = versions.choose(wanted)
    if version is None:
        raise RestError(400, "InvalidVersion", f"{wanted} is not supported by {request.method} {request.path}")
    g.api_version = version
