"""CloudAPI's routes to machines: making, changing, deleting them, their tags, metadata and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from datacenter.restify import RestError, not_found, reply
from datacenter.services.cloudapi import machines
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.machine_work import MachineWork
from datacenter.services.cloudapi.paging import page
from datacenter.services.vmapi.tags import special

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Route = Callable[..., None]
Shown = dict[str, Any]

_KINDS = {"tags": "tags", "metadata": "customer_metadata"}
_KEPT = {"tags": (), "metadata": ("root_authorized_keys",)}
"""Keys that stay, as people get into their machines by them."""


def add_routes(cloudapi: CloudApi, route: Route) -> None:
    work = MachineWork(cloudapi.dc)

    def list_machines(account: Account) -> Response:
        filters = {
            name: value
            for name, value in request.args.items()
            if name in machines.FILTERS or name == "tombstone" or name.startswith("tag.")
        }
        return page(cloudapi.machines(account, filters))

    def create(account: Account) -> Response:
        uuid = work.create(account, asked(), g.request_id)
        shown, _ = cloudapi.machine(account, uuid)
        return reply(shown, 201, Location=f"/{account['login']}/machines/{uuid}")

    def act(account: Account, uuid: str) -> Response:
        work.act(account, uuid, asked(), g.request_id)
        return reply(None, 202)

    def delete(account: Account, uuid: str) -> Response:
        work.delete(account, uuid, g.request_id)
        return reply(None, 204)

    route("/machines", list_machines)
    route("/machines", create, "POST")
    route("/machines/<uuid>", lambda account, uuid: reply(*cloudapi.machine(account, uuid)))
    route("/machines/<uuid>", act, "POST")
    route("/machines/<uuid>", delete, "DELETE")
    route("/machines/<uuid>/audit", lambda account, uuid: reply(work.audit(account, uuid)))
    for kind in _KINDS:
        _metadata_routes(work, route, kind)


def _metadata_routes(work: MachineWork, route: Route, kind: str) -> None:
    """Tags or metadata: POST adds, PUT replaces, DELETE takes away one or all; but Docker's own tags stay."""
    field = _KINDS[kind]

    def change(account: Account, uuid: str, after: Callable[[Shown], Shown], *, whole: bool = False) -> Response:
        vm = work.vm(account, uuid)
        wanted = after(dict(vm[field]))
        work.set_metadata(vm, field, wanted, g.request_id, whole=whole)
        return reply(wanted) if request.method in ("POST", "PUT") else reply(None, 204)

    def get(account: Account, uuid: str, key: str) -> Response:
        held = work.vm(account, uuid)[field]
        if key not in held:
            raise not_found(f"{key} does not exist")
        return reply(held[key])

    def delete(account: Account, uuid: str, key: str) -> Response:
        get(account, uuid, key)
        if key in _KEPT[kind]:
            raise RestError(409, "InvalidArgument", f"Metadata key {key} can not be deleted")
        return change(account, uuid, lambda held: {name: value for name, value in held.items() if name != key})

    def delete_all(account: Account, uuid: str) -> Response:
        def kept(held: Shown) -> Shown:
            docker = special(held) if kind == "tags" else {}
            return {**docker, **{name: value for name, value in held.items() if name in _KEPT[kind]}}

        return change(account, uuid, kept, whole=True)

    def replaced(held: Shown) -> Shown:
        return {**asked(), **special(held)}

    path = f"/machines/<uuid>/{kind}"
    route(path, lambda account, uuid: reply(work.vm(account, uuid)[field]))
    route(path, lambda account, uuid: change(account, uuid, lambda held: {**held, **asked()}), "POST")
    route(path, delete_all, "DELETE")
    if kind == "tags":
        route(path, lambda account, uuid: change(account, uuid, replaced, whole=True), "PUT")
    route(f"{path}/<key>", get)
    route(f"{path}/<key>", delete, "DELETE")
