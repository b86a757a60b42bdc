"""Accounts, keys and sub-users."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.clock import iso
from datacenter.restify import RestError
from datacenter.services.mahi import attributes, door, routes, sshkeys

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Account = dict[str, Any]


class Mahi:
    """Every account of the data center, as documents.

    An account: ``uuid``, ``login``, ``email``, ``approved_for_provisioning``, ``groups``, ``keys``
    {MD5 fingerprint: PEM}, ``key_names`` {name: fingerprint}, ``openssh`` {fingerprint: line},
    ``created``, ``updated``, and whatever of ``attributes.SETTABLE`` was set. Documents handed out are
    shared with the store: read them, don't change them.
    """

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._accounts = dc.store.bucket("accounts")
        self._users = dc.store.bucket("account_users")
        self._by_login: dict[str, str] = {}
        self._accounts.watch(self._index)
        if not len(self._accounts):
            self._insert("admin", groups=["operators"])
        self.app: Flask = routes.make_app(self)
        door.add_routes(self.app, self)

    @property
    def admin_uuid(self) -> str:
        """The uuid of ``admin``, who owns what belongs to the data center itself."""
        return self._by_login["admin"]

    def account(self, login_or_uuid: str) -> Account | None:
        return self._accounts.get(self._by_login.get(login_or_uuid, login_or_uuid))

    def accounts(self) -> list[Account]:
        return self._accounts.all()

    def create_account(
        self,
        login: str,
        /,
        *,
        ssh_public_key: str | None = None,
        key_name: str | None = None,
        approved: bool | None = None,
        operator: bool | None = None,
        **settings: Any,
    ) -> Account:
        """Make an account with its default fabric; of one that exists, change what is given and add the key.

        A new account is approved and no operator unless said otherwise. ``settings`` are further attributes
        of ``attributes.SETTABLE``. Raises 409 InvalidArgument, 507 SubnetsExhausted; then nothing is changed.
        """
        attributes.check_login(login)
        if approved is not None:
            settings["approved_for_provisioning"] = approved
        if operator is not None:
            settings["groups"] = ["operators"] if operator else []
        attributes.check(settings)
        key = _read_key(ssh_public_key) if ssh_public_key else None
        with self._dc.store.transaction():
            if login not in self._by_login:
                self._insert(login)
            account = self.set_attributes(login, **settings)
            if key:
                account = self._put_key(account, key, key_name)
            self._dc.napi.ensure_default_fabric(account["uuid"])
        return account

    def set_attributes(self, login_or_uuid: str, /, **changes: Any) -> Account:
        """Change attributes of an account; None takes one away. Raises 404, 409."""
        account = self.require(login_or_uuid)
        merged = {**account, **attributes.check(changes), "updated": iso()}
        return self._accounts.put(account["uuid"], {k: v for k, v in merged.items() if v is not None})

    def add_key(self, login_or_uuid: str, ssh_public_key: str, name: str | None = None) -> Account:
        """Give an account a key; a key of the same name is replaced. Raises 404, 409 InvalidArgument."""
        return self._put_key(self.require(login_or_uuid), _read_key(ssh_public_key), name)

    def remove_key(self, login_or_uuid: str, name_or_fingerprint: str) -> Account:
        """Take a key away. Raises 404 ResourceNotFound when the account has none such."""
        account = self.require(login_or_uuid)
        fingerprint = account["key_names"].get(name_or_fingerprint, name_or_fingerprint)
        if fingerprint not in account["keys"]:
            raise RestError(404, "ResourceNotFound", f"{name_or_fingerprint} does not exist")
        return self._put_keys(
            account,
            keys=_without(account["keys"], fingerprint),
            openssh=_without(account["openssh"], fingerprint),
            key_names={name: fp for name, fp in account["key_names"].items() if fp != fingerprint},
        )

    def require(self, login_or_uuid: str) -> Account:
        """The account, or 404 AccountDoesNotExist."""
        account = self.account(login_or_uuid)
        if account is None:
            raise RestError(404, "AccountDoesNotExist", f"{login_or_uuid} does not exist")
        return account

    def create_user(self, login_or_uuid: str, login: str, *, ssh_public_key: str | None = None) -> Account:
        """Make a sub-user of an account. Raises 404, 409 InvalidArgument when the name is bad or taken."""
        account = self.require(login_or_uuid)
        if self.user(account["uuid"], attributes.check_login(login)):
            raise RestError(409, "InvalidArgument", f"login {login} is taken")
        key = _read_key(ssh_public_key) if ssh_public_key else None
        keys = {key.fingerprint: key.pem} if key else {}
        user = {"uuid": str(uuid.uuid4()), "account": account["uuid"], "login": login, "keys": keys}
        return self._users.put(user["uuid"], user)

    def user(self, account_uuid: str, login: str) -> Account | None:
        return next(iter(self._users.find(account=account_uuid, login=login)), None)

    def users(self, account_uuid: str) -> list[Account]:
        return self._users.find(account=account_uuid)

    def user_by_uuid(self, user_uuid: str) -> Account | None:
        return self._users.get(user_uuid)

    def _insert(self, login: str, **fields: Any) -> Account:
        now = iso()
        account: Account = {
            "uuid": str(uuid.uuid4()),
            "login": login,
            "email": f"{login}@localhost",
            "groups": [],
            "approved_for_provisioning": True,
            "keys": {},
            "key_names": {},
            "openssh": {},
            "created": now,
            "updated": now,
            **fields,
        }
        return self._accounts.put(account["uuid"], account)

    def _index(self, key: str, before: Account | None, after: Account | None) -> None:
        if before is not None:
            del self._by_login[before["login"]]
        if after is not None:
            self._by_login[after["login"]] = key

    def _put_key(self, account: Account, key: sshkeys.SshKey, name: str | None) -> Account:
        name = name or key.comment or key.fingerprint
        replaced = account["key_names"].get(name)
        names = {known: fp for known, fp in account["key_names"].items() if fp != key.fingerprint}
        return self._put_keys(
            account,
            keys={**_without(account["keys"], replaced), key.fingerprint: key.pem},
            openssh={**_without(account["openssh"], replaced), key.fingerprint: key.openssh},
            key_names={**names, name: key.fingerprint},
        )

    def _put_keys(self, account: Account, **fields: dict[str, str]) -> Account:
        return self._accounts.update(account["uuid"], **fields, updated=iso())


def _read_key(line: str) -> sshkeys.SshKey:
    try:
        return sshkeys.read(line)
    except ValueError as error:
        raise RestError(409, "InvalidArgument", f"key: {error}") from error


def _without(mapping: dict[str, str], key: str | None) -> dict[str, str]:
    return {known: value for known, value in mapping.items() if known != key}
