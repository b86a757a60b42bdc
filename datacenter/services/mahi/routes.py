"""MAHI's own, read-only HTTP side, with the older forms that are still served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import RestError, params, reply, service, truthy

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Account, Mahi

_EXTRAS = ("disabled", "tenant", "allowed_dcs", "limits", "email")
"""Attributes a real MAHI keeps to itself or leaves to UFDS; served when set."""


def make_app(mahi: Mahi) -> Flask:
    app = service("mahi", "mahi")

    @app.get("/ping")
    def ping() -> Response:
        return reply(None, 204)

    @app.get("/accounts")
    def account_by_login() -> Response:
        return reply(auth_info(_account(mahi, _needed("login"))))

    @app.get("/accounts/<uuid>")
    def account_by_uuid(uuid: str) -> Response:
        account = mahi.account(uuid)
        if account is None or account["uuid"] != uuid:
            raise _missing("AccountIdDoesNotExist", uuid)
        return reply(auth_info(account))

    @app.get("/users")
    def user_by_login() -> Response:
        fallback = truthy(request.args.get("fallback"))
        return reply(_user_info(mahi, _needed("account"), _needed("login"), fallback=fallback))

    @app.get("/users/<uuid>")
    def user_by_uuid(uuid: str) -> Response:
        user = mahi.user_by_uuid(uuid)
        if user is None:
            raise _missing("UserIdDoesNotExist", uuid)
        return reply(auth_info(mahi.require(user["account"]), user))

    @app.get("/roles")
    def roles() -> Response:
        account = _account(mahi, _needed("account"))
        if role := request.args.get("role"):
            raise _missing("RoleDoesNotExist", role)
        return reply(auth_info(account))

    _add_directory(app, mahi)
    _add_old_forms(app, mahi)
    return app


def _add_directory(app: Flask, mahi: Mahi) -> None:
    @app.get("/lookup")
    def lookup() -> Response:
        return reply(
            {
                account["uuid"]: {"approved": account["approved_for_provisioning"], "login": account["login"]}
                for account in mahi.accounts()
            }
        )

    @app.get("/uuids")
    def uuids() -> Response:
        return reply(_uuids(mahi, _needed("account"), request.args.get("type"), request.args.getlist("name")))

    @app.get("/names")
    def names() -> Response:
        return reply(_names(mahi, request.args.getlist("uuid")))


def _add_old_forms(app: Flask, mahi: Mahi) -> None:
    @app.get("/account/<login>")
    def old_account(login: str) -> Response:
        return reply(auth_info(_account(mahi, login)))

    @app.get("/user/<account>/<user>")
    def old_user(account: str, user: str) -> Response:
        return reply(_user_info(mahi, account, user, fallback=False))

    @app.post("/getUuid")
    def get_uuid() -> Response:
        bag = params()
        if "account" not in bag:
            raise RestError(400, "BadRequest", "account is required")
        return reply(_uuids(mahi, str(bag["account"]), bag.get("type"), _texts(bag.get("names"))))

    @app.post("/getName")
    def get_name() -> Response:
        return reply(_names(mahi, _texts(params().get("uuids"))))


def auth_info(account: Account, user: Account | None = None) -> dict[str, Any]:
    """The document that authenticators work with. Flags that UFDS holds as text stay text."""
    groups = account.get("groups", [])
    shown: dict[str, Any] = {
        "type": "account",
        "uuid": account["uuid"],
        "login": account["login"],
        "groups": groups,
        "approved_for_provisioning": account["approved_for_provisioning"],
        "isOperator": "operators" in groups,
        "keys": account["keys"],
    }
    if "triton_cns_enabled" in account:
        shown["triton_cns_enabled"] = "true" if account["triton_cns_enabled"] else "false"
    shown.update((name, account[name]) for name in _EXTRAS if name in account)
    info: dict[str, Any] = {"roles": {}, "account": shown}
    if user is not None:
        info["user"] = {"type": "user", **user, "roles": [], "defaultRoles": []}
    return info


def _needed(name: str) -> str:
    value = request.args.get(name)
    if not value:
        raise RestError(400, "BadRequest", f"{name} is required")
    return value


def _missing(code: str, name: str) -> RestError:
    return RestError(404, code, f"{name} does not exist")


def _account(mahi: Mahi, login: str) -> Account:
    account = mahi.account(login)
    if account is None or account["login"] != login:
        raise _missing("AccountDoesNotExist", login)
    return account


def _user_info(mahi: Mahi, login: str, user_login: str, *, fallback: bool) -> dict[str, Any]:
    account = _account(mahi, login)
    user = mahi.user(account["uuid"], user_login)
    if user is None and not fallback:
        raise _missing("UserDoesNotExist", user_login)
    return auth_info(account, user)


def _uuids(mahi: Mahi, login: str, kind: str | None, names: list[str]) -> dict[str, Any]:
    account = _account(mahi, login)
    if not names:
        return {"account": account["uuid"]}
    if kind not in ("user", "role", "policy"):
        raise RestError(400, "WrongType", "type must be user, role or policy")
    known = {user["login"]: user["uuid"] for user in mahi.users(account["uuid"])} if kind == "user" else {}
    return {"account": account["uuid"], "uuids": {name: known[name] for name in names if name in known}}


def _names(mahi: Mahi, uuids: list[str]) -> dict[str, str]:
    found = {}
    for uuid in uuids:
        owner = mahi.account(uuid) or mahi.user_by_uuid(uuid)
        if owner is None:
            raise _missing("ObjectDoesNotExist", uuid)
        found[uuid] = owner["login"]
    return found


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [str(item) for item in values]
