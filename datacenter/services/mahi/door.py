"""The operator's door: making and changing accounts over HTTP.

A real MAHI only mirrors UFDS, which no program but UFDS's own tools changes. The embedded data center has
no UFDS, so these routes stand beside MAHI's, on loopback like every admin service:

- ``GET /embedded/accounts`` and ``GET /embedded/accounts/:login``
- ``POST /embedded/accounts`` ``{login, ssh_public_key?, key_name?, approved?, operator?, ...attributes}``:
  makes the account, or adds the key to the one there is
- ``PUT /embedded/accounts/:login`` ``{attributes}``: null takes an attribute away
- ``POST /embedded/accounts/:login/keys`` ``{key, name?}``: adds a key, or replaces the one of that name
- ``DELETE /embedded/accounts/:login/keys/:name-or-fingerprint``
- ``GET`` and ``POST /embedded/accounts/:login/users`` ``{login, key?, ...attributes}``: sub-users
- ``PUT`` and ``DELETE /embedded/accounts/:login/users/:user``; ``POST .../users/:user/keys``,
  ``DELETE .../users/:user/keys/:name-or-fingerprint``
- ``GET`` and ``POST /embedded/accounts/:login/policies`` ``{name, rules, description?}``
- ``GET`` and ``POST /embedded/accounts/:login/roles`` ``{name, members?, default_members?, policies?}``: members are
  logins of sub-users, or ``{"type": "account", "login", "default"?}``
- ``PUT`` and ``DELETE`` of ``.../policies/:name`` and ``.../roles/:name``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response

from datacenter.restify import RestError, body, reply
from datacenter.services.mahi.attributes import check, check_login

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Mahi


_ROLE = ("name", "members", "default_members", "policies")
_POLICY = ("name", "rules", "description")


def add_routes(app: Flask, mahi: Mahi) -> None:
    @app.get("/embedded/accounts")
    def list_accounts() -> Response:
        return reply(mahi.accounts())

    @app.get("/embedded/accounts/<login>")
    def get_account(login: str) -> Response:
        return reply(mahi.require(login))

    @app.post("/embedded/accounts")
    def create_account() -> Response:
        given = _object()
        login = check_login(given.pop("login", None))
        key, name = _text(given.pop("ssh_public_key", None)), _text(given.pop("key_name", None))
        approved, operator = _flag(given.pop("approved", None)), _flag(given.pop("operator", None))
        account = mahi.create_account(
            login, ssh_public_key=key, key_name=name, approved=approved, operator=operator, **check(given)
        )
        return reply(account, 201)

    @app.put("/embedded/accounts/<login>")
    def set_attributes(login: str) -> Response:
        return reply(mahi.set_attributes(login, **check(_object())))

    @app.post("/embedded/accounts/<login>/keys")
    def add_key(login: str) -> Response:
        given = _object()
        return reply(mahi.add_key(login, _text(given.get("key")) or "", _text(given.get("name"))), 201)

    @app.delete("/embedded/accounts/<login>/keys/<path:name>")
    def remove_key(login: str, name: str) -> Response:
        mahi.remove_key(login, name)
        return reply(None, 204)

    _add_users(app, mahi)
    _add_roles(app, mahi)


def _add_users(app: Flask, mahi: Mahi) -> None:
    path = "/embedded/accounts/<login>/users"

    def user(login: str, name: str) -> dict[str, Any]:
        return mahi.users.require(mahi.require(login)["uuid"], name)

    @app.get(path)
    def list_users(login: str) -> Response:
        return reply(mahi.users.of(mahi.require(login)["uuid"]))

    @app.post(path)
    def create_user(login: str) -> Response:
        given = _object()
        name, key = check_login(given.pop("login", None)), _text(given.pop("key", None))
        return reply(mahi.users.create(mahi.require(login), name, ssh_public_key=key, **given), 201)

    @app.put(f"{path}/<name>")
    def update_user(login: str, name: str) -> Response:
        return reply(mahi.users.update(user(login, name), **_object()))

    @app.delete(f"{path}/<name>")
    def delete_user(login: str, name: str) -> Response:
        mahi.users.delete(user(login, name))
        return reply(None, 204)

    @app.post(f"{path}/<name>/keys")
    def add_user_key(login: str, name: str) -> Response:
        given = _object()
        added = mahi.users.add_key(user(login, name), _text(given.get("key")) or "", _text(given.get("name")))
        return reply(added, 201)

    @app.delete(f"{path}/<name>/keys/<path:key>")
    def remove_user_key(login: str, name: str, key: str) -> Response:
        mahi.users.remove_key(user(login, name), key)
        return reply(None, 204)


def _add_roles(app: Flask, mahi: Mahi) -> None:
    roles, policies = "/embedded/accounts/<login>/roles", "/embedded/accounts/<login>/policies"

    @app.get(roles)
    def list_roles(login: str) -> Response:
        return reply(mahi.roles.of(mahi.require(login)["uuid"]))

    @app.post(roles)
    def create_role(login: str) -> Response:
        return reply(mahi.roles.create(mahi.require(login), _only(_ROLE)), 201)

    @app.put(f"{roles}/<name>")
    def update_role(login: str, name: str) -> Response:
        account = mahi.require(login)
        return reply(mahi.roles.update(account, mahi.roles.require(account["uuid"], name), _only(_ROLE)))

    @app.delete(f"{roles}/<name>")
    def delete_role(login: str, name: str) -> Response:
        mahi.roles.delete(mahi.roles.require(mahi.require(login)["uuid"], name))
        return reply(None, 204)

    @app.get(policies)
    def list_policies(login: str) -> Response:
        return reply(mahi.policies.of(mahi.require(login)["uuid"]))

    @app.post(policies)
    def create_policy(login: str) -> Response:
        given = {"name": None, "rules": None, **_only(_POLICY)}
        return reply(mahi.policies.create(mahi.require(login)["uuid"], **given), 201)

    @app.put(f"{policies}/<name>")
    def update_policy(login: str, name: str) -> Response:
        policy = mahi.policies.require(mahi.require(login)["uuid"], name)
        return reply(mahi.policies.update(policy, **_only(_POLICY)))

    @app.delete(f"{policies}/<name>")
    def delete_policy(login: str, name: str) -> Response:
        mahi.policies.delete(mahi.policies.require(mahi.require(login)["uuid"], name))
        return reply(None, 204)


def _only(allowed: tuple[str, ...]) -> dict[str, Any]:
    given = _object()
    unknown = given.keys() - set(allowed)
    if unknown:
        raise RestError(409, "InvalidArgument", f"unknown: {', '.join(sorted(unknown))}")
    return given


def _object() -> dict[str, Any]:
    given = body()
    if not isinstance(given, dict):
        raise RestError(400, "InvalidContent", "body must be a JSON object")
    return given


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RestError(409, "InvalidArgument", "keys and names are strings")
    return value


def _flag(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise RestError(409, "InvalidArgument", "approved and operator are booleans")
    return value
