"""CNAPI: the compute nodes, and the door to their streams. Facts: sdc-apis 4."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sdc.http import READ_SECONDS, ServiceClient

CAPABILITIES_KEY = "Docker Capabilities"
ULIMITS_KEY = "Docker Ulimits"
"""Hard limits that the node may give to containers, by Docker's names; -1 is no limit."""


class Cnapi(ServiceClient):
    service = "cnapi"

    def list_servers(self, *, extras: str = "sysinfo,memory,capacity") -> list[dict[str, Any]]:
        servers: list[dict[str, Any]] = self.get("/servers", query={"extras": extras, "setup": "true"})
        return servers

    def get_server(self, uuid: str) -> dict[str, Any]:
        server: dict[str, Any] = self.get(f"/servers/{uuid}")
        return server

    def allocate(
        self, vm: dict[str, Any], package: dict[str, Any], image: dict[str, Any], nic_tags: list[list[str]]
    ) -> dict[str, Any]:
        """Ask where a VM would be put; nothing is made. Returns ``server`` and the ``steps`` that led to it.

        Of each element of ``nic_tags`` a server must have one. Raises SdcError NoAllocatableServersError 409.
        """
        asked = {
            "vm": vm,
            "package": package,
            "image": image,
            "nic_tags": [tags[0] for tags in nic_tags],
            "nic_tag_requirements": nic_tags,
        }
        answer: dict[str, Any] = self.post("/allocate", body=asked)
        return answer

    def docker_exec(
        self, server_uuid: str, vm_uuid: str, command: dict[str, Any], *, timeout: float = READ_SECONDS + 10
    ) -> dict[str, Any]:
        """Start an exec, an attach or a log stream on the node; return ``{"host", "port"}`` to connect to at once.

        A detached exec answers ``{}``, a question its answer. On a real node every failure is 500 InternalError:
        look at the VM's state first. Not to be repeated: each call runs the command again.
        """
        path = f"/servers/{server_uuid}/vms/{vm_uuid}/docker-exec"
        return self.post(path, body={"command": command}, timeout=timeout) or {}

    def docker_copy(self, server_uuid: str, vm_uuid: str, **asked: Any) -> dict[str, Any]:
        """Ask for a file's description, and for the way to read it or write to it (``mode``, ``path``).

        Raises SdcError FileNotFound 404, PathNotDirectory 400.
        """
        answer: dict[str, Any] = self.post(f"/servers/{server_uuid}/vms/{vm_uuid}/docker-copy", body=asked)
        return answer

    def docker_stats(self, server_uuid: str, vm_uuid: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask for the stats of a running VM; connect to the answer within 60 s."""
        path = f"/servers/{server_uuid}/vms/{vm_uuid}/docker-stats"
        answer: dict[str, Any] = self.post(path, body={"payload": payload})
        return answer

    def docker_build(self, server_uuid: str, vm_uuid: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Have the node make an image; connect to the answer within 60 s (see ``sdc.building``)."""
        path = f"/servers/{server_uuid}/vms/{vm_uuid}/docker-build"
        answer: dict[str, Any] = self.post(path, body={"payload": payload})
        return answer

    def docker_changes(self, server_uuid: str, vm_uuid: str) -> list[dict[str, Any]]:
        """List what a VM changed in its image. For nodes with the capability ``changes``."""
        changes: list[dict[str, Any]] = self.post(f"/servers/{server_uuid}/vms/{vm_uuid}/docker-changes")["changes"]
        return changes

    def queue_up(self, server_uuid: str, vm_uuid: str, action: str, holder: str, seconds: float) -> str:
        """Queue up for a VM, for at most so long; return the ticket's uuid. ``holder`` is kept with it.

        Jobs that would change the VM wait until the ticket is released.
        """
        expires = datetime.now(UTC) + timedelta(seconds=seconds)
        asked = {
            "scope": "vm",
            "id": vm_uuid,
            "action": action,
            "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "extra": {"holder": holder},
        }
        return str(self.post(f"/servers/{server_uuid}/tickets", body=asked)["uuid"])

    def await_turn(self, ticket: str, seconds: float) -> None:
        """Wait until a ticket's turn has come."""
        self.get(f"/tickets/{ticket}/wait", timeout=seconds)

    def release_ticket(self, ticket: str) -> None:
        self.put(f"/tickets/{ticket}/release")

    def tickets_of(self, server_uuid: str, holder: str) -> list[str]:
        """Return the uuids of a holder's tickets that still keep others waiting."""
        query = {"attribute": "created_at", "order": "desc"}
        tickets: list[dict[str, Any]] = self.get(f"/servers/{server_uuid}/tickets", query=query)
        return [
            str(ticket["uuid"])
            for ticket in tickets
            if (ticket.get("extra") or {}).get("holder") == holder and ticket["status"] in {"active", "queued"}
        ]

    def ping(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/ping")
        return answer
