"""An IMGAPI of its own for each test, and registries for it to pull from."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from datacenter.images.registry import Registry
from datacenter.services.imgapi import Imgapi
from datacenter.settings import DcSettings
from datacenter.store import Store

sys.path.insert(0, str(Path(__file__).parent))

from fake_registry import serve

ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"


@pytest.fixture
def fake():
    with serve() as fake:
        yield fake


@pytest.fixture
def other():
    with serve() as fake:
        yield fake


class DataCenter(SimpleNamespace):
    def restart(self) -> Imgapi:
        """What a new process makes of the same state folder."""
        self.store.close()
        self.store = Store(self.settings.state / "dc.sqlite")
        return Imgapi(self)


@pytest.fixture
def dc(tmp_path):
    accounts = {ADMIN: {"login": "admin"}}
    dc = DataCenter(
        settings=DcSettings(state=tmp_path),
        store=Store(tmp_path / "dc.sqlite"),
        mahi=SimpleNamespace(admin_uuid=ADMIN, account=accounts.get),
    )
    yield dc
    dc.store.close()


@pytest.fixture
def imgapi(dc):
    imgapi = Imgapi(dc)
    imgapi.registry = Registry(dc.settings.insecure_registries, retry_delays=(0, 0, 0))
    return imgapi


@pytest.fixture
def client(imgapi):
    return imgapi.app.test_client()


@pytest.fixture
def pull(client):
    """Pull by IMGAPI's own route; the lines of its answer."""

    def run(repo: str, headers: dict[str, str] | None = None, **query: str) -> list[dict]:
        query = {"action": "import-docker-image", "repo": repo, "public": "false", **query}
        if "digest" not in query:
            query.setdefault("tag", "latest")
        reply = client.post("/images", query_string=query, headers=headers)
        assert reply.status_code == 200
        assert reply.data.endswith(b"\r\n")
        return [json.loads(line) for line in reply.data.split(b"\r\n")[:-1]]

    return run


@pytest.fixture
def make(client):
    """Import, fill and activate an image; its uuid."""

    def run(data: bytes = b"data", *, active: bool = True, **fields: object) -> str:
        image = str(fields.pop("uuid", uuid.uuid4()))
        fields = {"uuid": image, "owner": ADMIN, "name": "n", "version": "1", "type": "docker", "os": "linux", **fields}
        assert client.post(f"/images/{image}?action=import&skip_owner_check=true", json=fields).status_code == 200
        assert client.put(f"/images/{image}/file?compression=none", data=data).status_code == 200
        if active:
            assert client.post(f"/images/{image}?action=activate").status_code == 200
        return image

    return run
