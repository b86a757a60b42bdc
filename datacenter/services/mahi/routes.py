"""MAHI's own, read-only HTTP side, with the older forms that are still served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import RestError, params, reply, service, truthy
from datacenter.services.mahi.views import account_view, auth_info, members, role_view

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Account, Mahi


def make_app(mahi: Mahi) -> Flask:
    app = service("mahi", "mahi")

    @app.get("/ping")
    def ping() -> Response:
        return reply(None, 204)

    @app.get("/accounts")
    def account_by_login() -> Response:
        return reply(auth_info(mahi, _account(mahi, _needed("login", "account"))))

    @app.get("/accounts/<uuid>")
    def account_by_uuid(uuid: str) -> Response:
        account = mahi.account(uuid)
        if account is None or account["uuid"] != uuid:
            raise _missing_id(mahi, uuid, "account")
        return reply(auth_info(mahi, account))

    @app.get("/users")
    def user_by_login() -> Response:
        return reply(_user_info(mahi, _account(mahi, _needed("account")), _needed("login", "user")))

    @app.get("/users/<uuid>")
    def user_by_uuid(uuid: str) -> Response:
        user = mahi.users.get(uuid)
        if user is None:
            raise _missing_id(mahi, uuid, "user")
        return reply(auth_info(mahi, mahi.require(user["account"]), user))

    @app.get("/roles")
    def role_members() -> Response:
        """A role with everybody in it; of a role that is not there MAHI says no word."""
        account = _account(mahi, _needed("account"))
        role = mahi.roles.find(account["uuid"], request.args.get("role") or request.args.get("name") or "")
        info: dict[str, Any] = {"roles": {}, "account": account_view(mahi, account)}
        if role is not None:
            info["role"] = {**role_view(role), "members": members(mahi, role)}
        return reply(info)

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
        return reply({"roles": {}, "account": account_view(mahi, _account(mahi, login))})

    @app.get("/user/<account>/<user>")
    def old_user(account: str, user: str) -> Response:
        return reply(_user_info(mahi, _account(mahi, account), user))

    @app.post("/getUuid")
    def get_uuid() -> Response:
        bag = params()
        if not bag.get("account"):
            raise _required("account")
        return reply(_uuids(mahi, str(bag["account"]), bag.get("type"), _texts(bag.get("names"))))

    @app.post("/getName")
    def get_name() -> Response:
        return reply(_names(mahi, _texts(params().get("uuids"))))


def _needed(name: str, told: str | None = None) -> str:
    value = request.args.get(name)
    if not value:
        raise _required(told or name)
    return value


def _required(name: str) -> RestError:
    return RestError(400, "BadRequest", f'"{name}" is required')


def _missing_id(mahi: Mahi, uuid: str, kind: str) -> RestError:
    """Nothing has this uuid, or something of another kind."""
    known = _known(mahi, uuid)
    if known is not None:
        told = f"{uuid} expected to be type {kind} but was actually type {known[0]}"
        return RestError(400, "WrongType", told)
    return RestError(404, f"{kind.capitalize()}IdDoesNotExist", f"{uuid} does not exist")


def _known(mahi: Mahi, uuid: str) -> tuple[str, str] | None:
    """The kind and name of what has a uuid."""
    account = mahi.account(uuid)
    if account is not None and account["uuid"] == uuid:
        return "account", account["login"]
    kinds = {"user": mahi.users.get(uuid), "role": mahi.roles.get(uuid), "policy": mahi.policies.get(uuid)}
    for kind, found in kinds.items():
        if found is not None:
            return kind, found["login" if kind == "user" else "name"]
    return None


def _account(mahi: Mahi, login: str) -> Account:
    account = mahi.account(login)
    if account is None or account["login"] != login:
        raise RestError(404, "AccountDoesNotExist", f"{login} does not exist")
    return account


def _user_info(mahi: Mahi, account: Account, login: str) -> dict[str, Any]:
    """A sub-user, or the account alone when it has none such and the caller did not ask for that to be an error."""
    user = next((user for user in mahi.users.of(account["uuid"]) if user["login"] == login), None)
    if user is None and not truthy(request.args.get("fallback", "true")):
        told = f"user {login} does not exist in account {account['login']}"
        raise RestError(404, "UserDoesNotExist", told)
    return auth_info(mahi, account, user)


def _uuids(mahi: Mahi, login: str, kind: Any, names: list[str]) -> dict[str, Any]:
    account = _account(mahi, login)
    if not names:
        return {"account": account["uuid"]}
    kinds: dict[Any, list[dict[str, Any]]] = {
        "user": mahi.users.of(account["uuid"]),
        "role": mahi.roles.of(account["uuid"]),
        "policy": mahi.policies.of(account["uuid"]),
    }
    if kind not in kinds:
        raise RestError(400, "WrongType", "type must be user, role or policy")
    known = {found["login" if kind == "user" else "name"]: found["uuid"] for found in kinds[kind]}
    return {"account": account["uuid"], "uuids": {name: known[name] for name in names if name in known}}


def _names(mahi: Mahi, uuids: list[str]) -> dict[str, str]:
    """The names behind uuids; what nothing is known of is left out."""
    found = {uuid: _known(mahi, uuid) for uuid in uuids}
    return {uuid: known[1] for uuid, known in found.items() if known is not None}


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [str(item) for item in values]
