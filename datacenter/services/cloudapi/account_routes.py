"""CloudAPI's routes to an account itself: what it says of itself, its configuration, limits and endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Response, request

from datacenter.restify import not_found, reply
from datacenter.services.cloudapi import people
from datacenter.services.cloudapi.asking import asked

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    def own_url() -> str:
        return request.host_url.rstrip("/")

    def update(account: Account) -> Response:
        changed = cloudapi.dc.mahi.set_attributes(account["uuid"], **people.read_account(asked()))
        return reply(people.account(changed))

    def datacenter(_account: Account, name: str) -> Response:
        if name != cloudapi.dc.settings.name:
            raise not_found(f"{name} does not exist")
        moved = {"code": "ResourceMoved", "message": own_url()}
        return reply(moved, 302, Location=own_url())

    route("", lambda account: reply(people.account(account)))
    route("", update, "POST")
    route("/services", lambda _: reply(cloudapi.services(own_url())))
    route("/datacenters", lambda _: reply({cloudapi.dc.settings.name: own_url()}))
    route("/datacenters/<name>", datacenter)
    route("/config", lambda account: reply(cloudapi.config(account)))
    route("/config", lambda account: reply(cloudapi.set_config(account, asked())), "PUT")
    route("/limits", lambda account: reply(cloudapi.limits(account)))
