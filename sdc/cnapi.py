"""CNAPI: the compute nodes, and the door to their streams. Facts: sdc-apis 4."""

from __future__ import annotations

from typing import Any

from sdc.http import READ_SECONDS, ServiceClient

CAPABILITIES_KEY = "Docker Capabilities"


class Cnapi(ServiceClient):
    service = "cnapi"

    def list_servers(self, *, extras: str = "sysinfo,memory,capacity") -> list[dict[str, Any]]:
        servers: list[dict[str, Any]] = self.get("/servers", query={"extras": extras, "setup": "true"})
        return servers

    def get_server(self, uuid: str) -> dict[str, Any]:
        server: dict[str, Any] = self.get(f"/servers/{uuid}")
        return server

    def docker_exec(
        self, server_uuid: str, vm_uuid: str, command: dict[str, Any], *, timeout: float = READ_SECONDS + 10
    ) -> dict[str, Any]:
        """Start an exec, an attach or a log stream on the node; return ``{"host", "port"}`` to connect to at once.

        A detached exec answers ``{}``, a question its answer. On a real node every failure is 500 InternalError:
        look at the VM's state first. Not to be repeated: each call runs the command again.
        """
        path = f"/servers/{server_uuid}/vms/{vm_uuid}/docker-exec"
        return self.post(path, body={"command": command}, timeout=timeout) or {}

    def ping(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/ping")
        return answer
