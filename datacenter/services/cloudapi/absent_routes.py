"""Routes to what this data center does not have: empty lists, and plain words for who wants to make some."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Response

from datacenter.restify import RestError, not_found
from datacenter.services.cloudapi.machine_work import MachineWork
from datacenter.services.cloudapi.paging import page

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

NO_ACCESS_KEYS = "access keys open object stores, and this data center has none"
NO_MIGRATION = "this data center does not move instances from node to node"
NO_DISKS = "instances of this data center have one disk, of their package's size"


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    work = MachineWork(cloudapi.dc)
    mahi = cloudapi.dc.mahi

    def of_user(account: Account, user: str) -> Response:
        mahi.users.require(account["uuid"], user)
        return page([])

    def of_machine(account: Account, uuid: str) -> Response:
        work.vm(account, uuid)
        return page([])

    def refused(told: str) -> Callable[..., Response]:
        def view(account: Account, uuid: str = "", **_names: str) -> Response:
            if uuid:
                work.vm(account, uuid)
            raise RestError(501, "NotImplemented", told)

        return view

    def absent(_account: Account, **names: str) -> Response:
        raise not_found(f"{names.popitem()[1]} does not exist")

    route("/accesskeys", lambda _: page([]))
    route("/users/<user>/accesskeys", of_user)
    for keys in ("/accesskeys", "/users/<user>/accesskeys"):
        route(keys, refused(NO_ACCESS_KEYS), "POST")
        for method in ("GET", "POST", "DELETE"):
            route(f"{keys}/<key>", absent, method)
    route("/migrations", lambda _: page([]))
    route("/migrations/<machine>", absent)
    route("/migrations/<machine>/watch", absent)
    for method in ("GET", "POST"):
        route("/machines/<uuid>/migrate", refused(NO_MIGRATION), method)
    route("/machines/<uuid>/disks", of_machine)
    route("/machines/<uuid>/disks", refused(NO_DISKS), "POST")
    for method in ("GET", "POST", "DELETE"):
        route("/machines/<uuid>/disks/<disk>", absent, method)
