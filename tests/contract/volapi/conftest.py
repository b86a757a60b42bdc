"""Volumes of a data center whose node keeps books: their storage VMs are made there, and nothing runs."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.contract.conftest import World


class Volumes:
    """VOLAPI over HTTP, and the ends of its jobs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.http = world.volapi.app.test_client()

    def ask(self, **fields: Any) -> Any:
        """Ask for a volume; fields that are None are left out."""
        body = {"owner_uuid": self.world.owner, "type": "tritonnfs", "networks": [self.world.fabric["uuid"]], **fields}
        return self.http.post("/volumes", json={key: value for key, value in body.items() if value is not None})

    def create(self, name: str | None = "data", **fields: Any) -> dict[str, Any]:
        """Make a volume and return it once it is ready, or failed."""
        answer = self.ask(name=name, **fields)
        assert answer.status_code == 201, answer.json
        assert answer.json["state"] == "creating"
        return self.settled(answer.json["uuid"])

    def settled(self, volume_uuid: str) -> dict[str, Any]:
        self.world.job(self.world.volapi.get(volume_uuid)["job_uuid"])
        return self.http.get(f"/volumes/{volume_uuid}").json

    def delete(self, volume: dict[str, Any], query: str = "") -> Any:
        """Delete a volume, and wait until that is done or has failed."""
        answer = self.http.delete(f"/volumes/{volume['uuid']}{query}")
        if answer.status_code == 204 and volume["uuid"] in self.world.volapi.volumes:
            self.world.job(self.world.volapi.get(volume["uuid"])["job_uuid"])
        return answer

    def listed(self, query: str = "") -> list[str]:
        answer = self.http.get(f"/volumes{query}")
        assert answer.status_code == 200, answer.json
        return [volume["name"] for volume in answer.json]

    def refusal(self, answer: Any) -> tuple[int, str, str]:
        return answer.status_code, answer.json["code"], answer.json["message"]


@pytest.fixture
def volumes(world):
    return Volumes(world.with_volumes())


@pytest.fixture
def other_owner():
    return str(uuid.uuid4())
