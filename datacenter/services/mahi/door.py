"""The operator's door: making and changing accounts over HTTP.

A real MAHI only mirrors UFDS, which no program but UFDS's own tools changes. The embedded data center has
no UFDS, so these routes stand beside MAHI's, on loopback like every admin service:

- ``GET /embedded/accounts`` and ``GET /embedded/accounts/:login``
- ``POST /embedded/accounts`` ``{login, ssh_public_key?, key_name?, approved?, operator?, ...attributes}``:
  makes the account, or adds the key to the one there is
- ``PUT /embedded/accounts/:login`` ``{attributes}``: null takes an attribute away
- ``POST /embedded/accounts/:login/keys`` ``{key, name?}``: adds a key, or replaces the one of that name
- ``DELETE /embedded/accounts/:login/keys/:name-or-fingerprint``
- ``POST /embedded/accounts/:login/users`` ``{login, key?}``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response

from datacenter.restify import RestError, body, reply
from datacenter.services.mahi.attributes import check, check_login

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Mahi


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

    @app.post("/embedded/accounts/<login>/users")
    def create_user(login: str) -> Response:
        given = _object()
        return reply(mahi.create_user(login, given.get("login", ""), ssh_public_key=_text(given.get("key"))), 201)


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
