"""CNS: what it would serve in DNS. No DNS server stands behind it here, so it has no peers to replicate to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Flask, Response

from datacenter.clock import epoch
from datacenter.restify import RestError, is_uuid, not_found, params, reply, service
from datacenter.services.cns.names import DOMAIN, names, suffixes

if TYPE_CHECKING:
    from datacenter.center import DataCenter

VERSION = "Triton CNS 0.1.0"


class Cns:
    """Suffixes for new containers, and the names of those there are."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self.app: Flask = self._make_app()

    def suffixes(self, owner_uuid: str) -> list[str]:
        """The suffixes of an account by uuid. Raises 404 ResourceNotFound."""
        account = self._dc.mahi.account(owner_uuid)
        if account is None:
            raise not_found("account not found")
        return suffixes(account, self._dc.settings.name)

    def names(self, vm: dict[str, Any]) -> list[str]:
        """The full DNS names of a VM; none of one that is gone."""
        account = self._dc.mahi.account(vm["owner_uuid"])
        gone = vm.get("state") in ("destroyed", "failed")
        return [] if account is None or gone else names(vm, account, self._dc.settings.name)

    def _make_app(self) -> Flask:
        app = service("cns", "cns")

        @app.get("/ping")
        def ping() -> Response:
            return reply({"status": "OK"})

        @app.get("/version")
        def version() -> Response:
            return reply({"version": VERSION})

        @app.post("/suffixes-for-vm")
        def suffixes_for_vm() -> Response:
            bag = params()
            networks = bag.get("networks", [])
            if not is_uuid(bag.get("owner_uuid")):
                raise RestError(409, "InvalidArgument", "owner_uuid must be a UUID")
            if not (isinstance(networks, list) and all(map(is_uuid, networks))):
                raise RestError(409, "InvalidArgument", "networks must be an array of UUIDs")
            return reply({"suffixes": self.suffixes(bag["owner_uuid"])})

        @app.get("/vm/<uuid>")
        def vm(uuid: str) -> Response:
            found = self._dc.vmapi.vm(uuid) if is_uuid(uuid) else None
            if found is None:
                raise not_found("VM not found")
            visited = int(epoch(found["last_modified"])) * 1000
            return reply({"uuid": uuid, "names": self.names(found), "last_visit": visited})

        self._add_zone_routes(app)
        return app

    def _add_zone_routes(self, app: Flask) -> None:
        zone = f"{self._dc.settings.name}.{DOMAIN}"

        @app.get("/zones")
        def zones() -> Response:
            """The zone has a serial number although nobody transfers it: the time in seconds, which only grows."""
            return reply([{"name": zone, "serial": int(time.time())}])

        @app.get("/peers")
        @app.get("/allowed-peers")
        def peers() -> Response:
            return reply([])

        @app.route("/peer/<address>", methods=["GET", "DELETE"])
        def peer(address: str) -> Response:
            raise not_found(f"Peer {address} not found")
