"""MAHI: accounts and their keys, read from a cache that is seconds behind UFDS. Facts: sdc-apis 11."""

from __future__ import annotations

from typing import Any

from sdc.http import ServiceClient

AuthInfo = dict[str, Any]


class Mahi(ServiceClient):
    service = "mahi"

    def get_account(self, login: str) -> AuthInfo:
        """``{"account": {..., "keys": {md5 fingerprint: PEM}}, "roles": ...}``; 404 AccountDoesNotExist."""
        info: AuthInfo = self.get("/accounts", query={"login": login})
        return info

    def get_account_by_uuid(self, uuid: str) -> AuthInfo:
        info: AuthInfo = self.get(f"/accounts/{uuid}")
        return info

    def get_user(self, uuid: str) -> AuthInfo:
        """A sub-user with its account; 404 UserIdDoesNotExist."""
        info: AuthInfo = self.get(f"/users/{uuid}")
        return info

    def get_user_by_login(self, account: str, login: str) -> AuthInfo:
        """A sub-user, by its account's login and its own; 404 UserDoesNotExist."""
        info: AuthInfo = self.get("/users", query={"account": account, "login": login, "fallback": "false"})
        return info

    def get_role(self, account: str, name: str) -> AuthInfo:
        """An account with one of its roles: ``role.members`` by uuid, each with ``keys`` and ``defaultRoles``.

        Members are sub-users and other accounts. There is no ``role`` when the account has none of that name.
        """
        info: AuthInfo = self.get("/roles", query={"account": account, "role": name})
        return info
