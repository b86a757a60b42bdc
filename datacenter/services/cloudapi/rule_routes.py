"""CloudAPI's routes to an account's firewall rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response

from datacenter.restify import RestError, body, not_found, reply
from datacenter.services.cloudapi.machine_work import MachineWork, plain_refusals
from datacenter.services.cloudapi.paging import page
from datacenter.services.fwapi.model import GLOBAL

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Shown = dict[str, Any]

_SETTABLE = ("rule", "enabled", "log", "description")


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    fwapi, work = cloudapi.dc.fwapi, MachineWork(cloudapi.dc)

    def among(account: Account) -> list[Shown]:
        """The account's rules, and those of everybody."""
        found = [*fwapi.rules(account["uuid"]), *fwapi.rules(GLOBAL)]
        return list({known["uuid"]: known for known in found}.values())

    def rule(account: Account, uuid: str) -> Shown:
        """A rule the account may see: its own, or a global one. Raises 404."""
        found = next((known for known in among(account) if known["uuid"] == uuid), None)
        if found is None or not (found.get("global") or found.get("owner_uuid") == account["uuid"]):
            raise not_found(f"{uuid} does not exist")
        return found

    def own(account: Account, uuid: str) -> Shown:
        """A rule the account may change. Raises 404, 403."""
        found = rule(account, uuid)
        if found.get("owner_uuid") != account["uuid"]:
            raise RestError(403, "NotAuthorized", "global rules are the operator's")
        return found

    def visible(account: Account) -> list[Shown]:
        mine = (known for known in among(account) if known.get("global") or known.get("owner_uuid") == account["uuid"])
        return [_shown(known) for known in mine]

    def create(account: Account) -> Response:
        with plain_refusals():
            return reply(_shown(fwapi.create({**_given(), "owner_uuid": account["uuid"]})), 201)

    def update(account: Account, uuid: str, **changes: Any) -> Response:
        with plain_refusals():
            return reply(_shown(fwapi.update(own(account, uuid), changes or _given())))

    def delete(account: Account, uuid: str) -> Response:
        fwapi.delete(own(account, uuid)["uuid"])
        return reply(None, 204)

    def machines_of(account: Account, uuid: str) -> Response:
        touched = {vm["uuid"] for vm in fwapi.vms_of_rule(rule(account, uuid))}
        return page([shown for shown in cloudapi.machines(account, {}) if shown["id"] in touched])

    def rules_of(account: Account, uuid: str) -> Response:
        return page([_shown(known) for known in fwapi.rules_for_vm(work.vm(account, uuid))])

    route("/fwrules", lambda account: page(visible(account)))
    route("/fwrules", create, "POST")
    route("/fwrules/<uuid>", lambda account, uuid: reply(_shown(rule(account, uuid))))
    route("/fwrules/<uuid>", update, "POST")
    route("/fwrules/<uuid>", delete, "DELETE")
    route("/fwrules/<uuid>/enable", lambda account, uuid: update(account, uuid, enabled=True), "POST")
    route("/fwrules/<uuid>/disable", lambda account, uuid: update(account, uuid, enabled=False), "POST")
    route("/fwrules/<uuid>/machines", machines_of)
    route("/machines/<uuid>/fwrules", rules_of)


def _shown(rule: Shown) -> Shown:
    """A rule in CloudAPI's words: ``id`` for its uuid, nothing of whose it is."""
    shown = {"id": rule["uuid"], "rule": rule["rule"], "enabled": rule["enabled"], "log": rule.get("log", False)}
    shown |= {name: rule[name] for name in ("description", "global") if rule.get(name)}
    return shown


def _given() -> Shown:
    given = body()
    if not isinstance(given, dict):
        raise RestError(400, "InvalidContent", "body must be a JSON object")
    return {name: given[name] for name in _SETTABLE if name in given}
