"""CloudAPI's routes to roles, policies and role tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from datacenter.restify import reply
from datacenter.services.cloudapi import people
from datacenter.services.cloudapi.access import Access, below
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.machine_work import MachineWork
from datacenter.services.cloudapi.paging import page
from datacenter.services.cloudapi.role_tags import check_taggable

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Route = Callable[..., None]
Shown = dict[str, Any]

_ROLE = ("name", "members", "default_members", "policies")
_POLICY = ("name", "rules", "description")


def add_routes(cloudapi: CloudApi, access: Access, route: Route) -> None:
    _policy_routes(cloudapi, route)
    _tag_routes(cloudapi, access, route)
    mahi = cloudapi.dc.mahi

    def shown(role: Shown) -> Shown:
        return _role(cloudapi, role)

    def create(account: Account) -> Response:
        given = _only(_ROLE)
        if not given.get("name"):
            raise people.missing(["name"])
        made = mahi.roles.create(account, given)
        return reply(shown(made), 201, Location=f"/{account['login']}/roles/{made['uuid']}")

    def update(account: Account, role: str) -> Response:
        found = mahi.roles.require(account["uuid"], role)
        return reply(shown(mahi.roles.update(account, found, _only(_ROLE))))

    def delete(account: Account, role: str) -> Response:
        mahi.roles.delete(mahi.roles.require(account["uuid"], role))
        return reply(None, 204)

    route("/roles", lambda account: page([shown(role) for role in mahi.roles.of(account["uuid"])]))
    route("/roles", create, "POST")
    route("/roles/<role>", lambda account, role: reply(shown(mahi.roles.require(account["uuid"], role))))
    route("/roles/<role>", update, "POST")
    route("/roles/<role>", delete, "DELETE")


def _role(cloudapi: CloudApi, role: Shown) -> Shown:
    """A role with names for uuids. Before version 9 members are sub-users' logins alone, and policies names."""
    mahi = cloudapi.dc.mahi
    policies = [policy for policy in (mahi.policies.get(uuid) for uuid in role["policies"]) if policy]
    members = []
    for uuid in role["members"]:
        user, account = mahi.users.get(uuid), mahi.account(uuid)
        holder, kind = (user, "subuser") if user else (account, "account")
        if holder is not None:
            member = {"id": uuid, "login": holder["login"], "type": kind}
            members.append({**member, "default": True} if uuid in role["default_members"] else member)
    shown = {"name": role["name"], "id": role["uuid"]}
    if int(g.api_version.partition(".")[0]) >= 9:
        return {**shown, "members": members, "policies": [{"id": one["uuid"], "name": one["name"]} for one in policies]}
    users = [member for member in members if member["type"] == "subuser"]
    return {
        **shown,
        "members": [member["login"] for member in users],
        "default_members": [member["login"] for member in users if member.get("default")],
        "policies": [policy["name"] for policy in policies],
    }


def _policy_routes(cloudapi: CloudApi, route: Route) -> None:
    policies = cloudapi.dc.mahi.policies

    def create(account: Account) -> Response:
        given = _only(_POLICY)
        if missing := [name for name in ("name", "rules") if not given.get(name)]:
            raise people.missing(missing)
        made = policies.create(account["uuid"], given["name"], given["rules"], given.get("description"))
        return reply(_policy(made), 201, Location=f"/{account['login']}/policies/{made['uuid']}")

    def update(account: Account, policy: str) -> Response:
        return reply(_policy(policies.update(policies.require(account["uuid"], policy), **_only(_POLICY))))

    def delete(account: Account, policy: str) -> Response:
        policies.delete(policies.require(account["uuid"], policy))
        return reply(None, 204)

    route("/policies", lambda account: page([_policy(policy) for policy in policies.of(account["uuid"])]))
    route("/policies", create, "POST")
    route("/policies/<policy>", lambda account, policy: reply(_policy(policies.require(account["uuid"], policy))))
    route("/policies/<policy>", update, "POST")
    route("/policies/<policy>", delete, "DELETE")


def _policy(policy: Shown) -> Shown:
    shown = {"name": policy["name"], "id": policy["uuid"], "rules": policy["rules"]}
    return {**shown, "description": policy["description"]} if policy.get("description") else shown


def _tag_routes(cloudapi: CloudApi, access: Access, route: Route) -> None:
    work = MachineWork(cloudapi.dc)

    def put(account: Account, **_names: str) -> Response:
        resource = access.resource()
        check_taggable(resource)
        if resource.startswith("/machines/"):
            work.vm(account, resource.removeprefix("/machines/"))
        given = asked().get("role-tag", request.headers.get("Role-Tag", []))
        roles = access.tags.read(account["uuid"], given)
        access.tags.put(account["uuid"], resource, roles)
        names = access.tags.names(account["uuid"], resource)
        return reply({"name": f"/{account['login']}{below()}", "role-tag": names})

    for path in ("", "/<kind>", "/<kind>/<name>", "/users/<user>/keys", "/users/<user>/keys/<name>"):
        route(path, put, "PUT")


def _only(allowed: tuple[str, ...]) -> Shown:
    return {name: value for name, value in asked().items() if name in allowed}
