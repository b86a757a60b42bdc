"""Container name suffixes, as sdc-docker asks for them when it makes a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response

from datacenter.restify import RestError, is_uuid, not_found, params, reply, service

if TYPE_CHECKING:
    from datacenter.center import DataCenter

DOMAIN = "cns.test"


def suffixes(account: Mapping[str, Any], datacenter: str) -> list[str]:
    """The DNS search suffixes of an account's containers; none unless its CNS is switched on."""
    if not account.get("triton_cns_enabled"):
        return []
    zone = f"{account['uuid']}.{datacenter}.{DOMAIN}"
    return [f"svc.{zone}", f"inst.{zone}"]


class Cns:
    """The one route of CNS that making a container needs."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self.app: Flask = self._make_app()

    def suffixes(self, owner_uuid: str) -> list[str]:
        """The suffixes of an account by uuid. Raises 404 ResourceNotFound."""
        account = self._dc.mahi.account(owner_uuid)
        if account is None:
            raise not_found("account not found")
        return suffixes(account, self._dc.settings.name)

    def _make_app(self) -> Flask:
        app = service("cns", "cns")

        @app.get("/ping")
        def ping() -> Response:
            return reply({"status": "OK"})

        @app.post("/suffixes-for-vm")
        def suffixes_for_vm() -> Response:
            bag = params()
            networks = bag.get("networks", [])
            if not is_uuid(bag.get("owner_uuid")):
                raise RestError(409, "InvalidArgument", "owner_uuid must be a UUID")
            if not (isinstance(networks, list) and all(map(is_uuid, networks))):
                raise RestError(409, "InvalidArgument", "networks must be an array of UUIDs")
            return reply({"suffixes": self.suffixes(bag["owner_uuid"])})

        return app
