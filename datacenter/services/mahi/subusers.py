"""Sub-users: people who sign in with keys of their own and may do what the account's roles let them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.restify import RestError
from datacenter.services.mahi import attributes, keyring

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Account, Mahi
    from datacenter.store import Store

User = dict[str, Any]


class SubUsers:
    """The sub-users of all accounts.

    A user: ``uuid``, ``account`` (the account's uuid), ``login`` (its own within the account), ``email``, the
    fields of a keyring, ``created``, ``updated`` and whatever of ``attributes.PERSONAL`` was set. No passwords
    are kept: nothing here signs in with one.
    """

    def __init__(self, mahi: Mahi, store: Store) -> None:
        self._mahi = mahi
        self._users = store.bucket("account_users")
        for user in self._users.all():
            if "key_names" not in user:  # written before sub-users' keys had names
                names = {fingerprint: fingerprint for fingerprint in user["keys"]}
                self._users.put(user["uuid"], {**_new(), **user, "key_names": names})

    def get(self, user_uuid: str) -> User | None:
        return self._users.get(user_uuid)

    def of(self, account_uuid: str) -> list[User]:
        return self._users.find(account=account_uuid)

    def find(self, account_uuid: str, login_or_uuid: str) -> User | None:
        """A sub-user of this account by its login or uuid."""
        for user in self.of(account_uuid):
            if login_or_uuid in (user["login"], user["uuid"]):
                return user
        return None

    def require(self, account_uuid: str, login_or_uuid: str) -> User:
        """The sub-user, or 404 ResourceNotFound."""
        user = self.find(account_uuid, login_or_uuid)
        if user is None:
            raise RestError(404, "ResourceNotFound", f"{login_or_uuid} does not exist")
        return user

    def create(self, account: Account, login: str, /, *, ssh_public_key: str | None = None, **settings: Any) -> User:
        """Make a sub-user. Raises 409 InvalidArgument when the login is bad or taken, or a setting is wrong."""
        self._check_login(account["uuid"], login)
        attributes.check_personal(settings)
        user = {**_new(), "uuid": str(uuid.uuid4()), "account": account["uuid"], "login": login}
        user |= {
            "email": f"{login}@localhost",
            **{name: value for name, value in settings.items() if value is not None},
        }
        if ssh_public_key:
            user |= keyring.added(user, keyring.read(ssh_public_key), None)
        return self._users.put(user["uuid"], user)

    def update(self, user: User, /, **changes: Any) -> User:
        """Change a sub-user; None takes an attribute away. Raises 409 InvalidArgument."""
        login = changes.pop("login", user["login"])
        if login != user["login"]:
            self._check_login(user["account"], login)
        merged = {**user, "login": login, **attributes.check_personal(changes), "updated": iso()}
        return self._users.put(user["uuid"], {name: value for name, value in merged.items() if value is not None})

    def delete(self, user: User) -> None:
        """Delete a sub-user, and its memberships with it."""
        with self._mahi.store.transaction():
            self._mahi.roles.forget("members", user["uuid"])
            self._users.delete(user["uuid"])

    def add_key(self, user: User, ssh_public_key: str, name: str | None = None) -> User:
        """Give a sub-user a key; a key of the same name is replaced. Raises 409 InvalidArgument."""
        return self._users.update(
            user["uuid"], **keyring.added(user, keyring.read(ssh_public_key), name), updated=iso()
        )

    def remove_key(self, user: User, name_or_fingerprint: str) -> User:
        """Take a key away. Raises 404."""
        return self._users.update(user["uuid"], **keyring.removed(user, name_or_fingerprint), updated=iso())

    def _check_login(self, account_uuid: str, login: str) -> None:
        if any(user["login"] == attributes.check_login(login) for user in self.of(account_uuid)):
            raise RestError(409, "InvalidArgument", f"login {login} is taken")
        attributes.check_login(login)


def _new() -> User:
    now = iso()
    return {**keyring.empty(), "created": now, "updated": now}
