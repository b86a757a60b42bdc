"""Accounts and their keys; their sub-users, roles and policies have rooms of their own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.clock import iso
from datacenter.restify import RestError
from datacenter.services.mahi import attributes, door, keyring, routes
from datacenter.services.mahi.policies import Policies
from datacenter.services.mahi.roles import Roles
from datacenter.services.mahi.subusers import SubUsers
from datacenter.store import Store

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Account = dict[str, Any]


class Mahi:
    """Every account of the data center, as documents.

    An account: ``uuid``, ``login``, ``email``, ``approved_for_provisioning``, ``groups``, the fields of a
    keyring, ``created``, ``updated``, and whatever of ``attributes.SETTABLE`` was set. Documents handed out are
    shared with the store: read them, don't change them.
    """

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._accounts = dc.store.bucket("accounts")
        self.users = SubUsers(self, dc.store)
        self.policies = Policies(self, dc.store)
        self.roles = Roles(self, dc.store)
        self._by_login: dict[str, str] = {}
        self._accounts.watch(self._index)
        if not len(self._accounts):
            self._insert("admin", groups=["operators"])
        self.app: Flask = routes.make_app(self)
        door.add_routes(self.app, self)

    @property
    def store(self) -> Store:
        return self._dc.store

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
        key = keyring.read(ssh_public_key) if ssh_public_key else None
        with self._dc.store.transaction():
            if login not in self._by_login:
                self._insert(login)
            account = self.set_attributes(login, **settings)
            if key:
                account = self._put_keys(account, keyring.added(account, key, key_name))
            self._dc.napi.ensure_default_fabric(account["uuid"])
        return account

    def set_attributes(self, login_or_uuid: str, /, **changes: Any) -> Account:
        """Change attributes of an account; None takes one away. Raises 404, 409."""
        account = self.require(login_or_uuid)
        merged = {**account, **attributes.check(changes), "updated": iso()}
        return self._accounts.put(account["uuid"], {k: v for k, v in merged.items() if v is not None})

    def add_key(self, login_or_uuid: str, ssh_public_key: str, name: str | None = None) -> Account:
        """Give an account a key; a key of the same name is replaced. Raises 404, 409 InvalidArgument."""
        account = self.require(login_or_uuid)
        return self._put_keys(account, keyring.added(account, keyring.read(ssh_public_key), name))

    def remove_key(self, login_or_uuid: str, name_or_fingerprint: str) -> Account:
        """Take a key away. Raises 404 ResourceNotFound when the account has none such."""
        account = self.require(login_or_uuid)
        return self._put_keys(account, keyring.removed(account, name_or_fingerprint))

    def require(self, login_or_uuid: str) -> Account:
        """The account, or 404 AccountDoesNotExist."""
        account = self.account(login_or_uuid)
        if account is None:
            raise RestError(404, "AccountDoesNotExist", f"{login_or_uuid} does not exist")
        return account

    def _insert(self, login: str, **fields: Any) -> Account:
        now = iso()
        account: Account = {
            "uuid": str(uuid.uuid4()),
            "login": login,
            "email": f"{login}@localhost",
            "groups": [],
            "approved_for_provisioning": True,
            **keyring.empty(),
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

    def _put_keys(self, account: Account, fields: keyring.Fields) -> Account:
        return self._accounts.update(account["uuid"], **fields, updated=iso())
