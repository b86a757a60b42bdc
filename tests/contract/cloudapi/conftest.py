"""A node, an image and a machine for the tests of CloudAPI."""

from __future__ import annotations

import pytest

from tests.contract.cloudapi.caller import Caller, wait_for
from tests.contract.conftest import BookNode

LX_IMAGE = "2f538996-672a-11e9-b3f5-0b8a0e2ff8f5"


@pytest.fixture
def node(dc):
    node = BookNode()
    dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    yield node
    node.server.stop(timeout=0)


@pytest.fixture
def image(dc):
    manifest = {
        "v": 2, "uuid": LX_IMAGE, "owner": dc.mahi.admin_uuid, "name": "ubuntu", "version": "22.04", "type": "lx-dataset",
        "os": "linux", "public": True, "tags": {"kernel_version": "4.3.0"}, "published_at": "2020-01-01T00:00:00Z",
    }  # fmt: skip
    http = dc.imgapi.app.test_client()
    assert http.post(f"/images/{LX_IMAGE}?action=import&skip_owner_check=true", json=manifest).status_code == 200
    assert http.put(f"/images/{LX_IMAGE}/file?compression=none", data=b"abcd").status_code == 200
    assert http.post(f"/images/{LX_IMAGE}?action=activate").status_code == 200
    return LX_IMAGE


@pytest.fixture
def jdoe(dc, node, image):
    return Caller(dc)


@pytest.fixture
def package(dc):
    return dc.papi.search({"name": "sample-1G"})[0]


@pytest.fixture
def machine(jdoe, package, image):
    answer = jdoe.send("POST", "/jdoe/machines", name="web", image=image, package=package["uuid"],
                       **{"tag.role": "www", "metadata.color": "red"})  # fmt: skip
    assert answer.status_code == 201, answer.json
    assert answer.headers["Location"] == f"/jdoe/machines/{answer.json['id']}"
    assert answer.json["state"] == "provisioning"
    wait_for(jdoe, answer.json, "running")
    return answer.json
