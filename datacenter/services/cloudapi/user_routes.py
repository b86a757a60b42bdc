"""CloudAPI's routes to SSH keys, and to sub-users and theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, request

from datacenter.restify import RestError, reply, truthy
from datacenter.services.cloudapi import keys, people
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.paging import page
from datacenter.services.mahi.attributes import check_login

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Route = Callable[..., None]
User = dict[str, Any]


def add_routes(cloudapi: CloudApi, route: Route) -> None:
    _own_keys(cloudapi, route)
    _user_keys(cloudapi, route)
    mahi = cloudapi.dc.mahi

    def user(account: Account, name: str) -> User:
        return mahi.users.require(account["uuid"], name)

    def create(account: Account) -> Response:
        given = asked()
        if missing := [name for name in ("email", "login", "password") if not given.get(name)]:
            raise people.missing(missing)
        people.check_password(given["password"])
        made = mahi.users.create(account, check_login(given["login"]), **people.read(given))
        return reply(people.person(made), 201, Location=f"/{account['login']}/users/{made['login']}")

    def get(account: Account, user_name: str) -> Response:
        found = user(account, user_name)
        shown = people.person(found)
        if truthy(request.args.get("membership")):
            kinds = {"roles": "members", "default_roles": "default_members"}
            for word, kind in kinds.items():
                shown[word] = [role["name"] for role in mahi.roles.with_member(found["uuid"], kind)]
        return reply(shown)

    def update(account: Account, user_name: str) -> Response:
        given = asked()
        changes = people.read(given)
        if "login" in given:
            changes["login"] = check_login(given["login"])
        return reply(people.person(mahi.users.update(user(account, user_name), **changes)))

    def change_password(account: Account, user_name: str) -> Response:
        found, given = user(account, user_name), asked()
        if missing := [field for field in ("password", "password_confirmation") if not given.get(field)]:
            raise people.missing(missing)
        if given["password"] != given["password_confirmation"]:
            told = "password and password_confirmation must have the same value"
            raise RestError(409, "InvalidArgument", told)
        people.check_password(given["password"])
        return reply(people.person(found))

    def delete(account: Account, user_name: str) -> Response:
        mahi.users.delete(user(account, user_name))
        return reply(None, 204)

    route("/users", lambda account: page([people.person(found) for found in mahi.users.of(account["uuid"])]))
    route("/users", create, "POST")
    route("/users/<user_name>", get)
    route("/users/<user_name>", update, "POST")
    route("/users/<user_name>", delete, "DELETE")
    route("/users/<user_name>/change_password", change_password, "POST")


def _own_keys(cloudapi: CloudApi, route: Route) -> None:
    mahi = cloudapi.dc.mahi

    def create(account: Account) -> Response:
        return keys.create(
            account, lambda line, name: mahi.add_key(account["uuid"], line, name), f"/{account['login']}/keys"
        )

    def delete(account: Account, name: str) -> Response:
        mahi.remove_key(account["uuid"], name)
        return reply(None, 204)

    route("/keys", keys.listed)
    route("/keys", create, "POST")
    route("/keys/<name>", lambda account, name: reply(keys.view(account, name)))
    route("/keys/<name>", delete, "DELETE")


def _user_keys(cloudapi: CloudApi, route: Route) -> None:
    users = cloudapi.dc.mahi.users

    def create(account: Account, user: str) -> Response:
        holder = users.require(account["uuid"], user)
        path = f"/{account['login']}/users/{holder['login']}/keys"
        return keys.create(holder, lambda line, name: users.add_key(holder, line, name), path)

    def get(account: Account, user: str, name: str) -> Response:
        return reply(keys.view(users.require(account["uuid"], user), name))

    def delete(account: Account, user: str, name: str) -> Response:
        users.remove_key(users.require(account["uuid"], user), name)
        return reply(None, 204)

    path = "/users/<user>/keys"
    route(path, lambda account, user: keys.listed(users.require(account["uuid"], user)))
    route(path, create, "POST")
    route(f"{path}/<name>", get)
    route(f"{path}/<name>", delete, "DELETE")
