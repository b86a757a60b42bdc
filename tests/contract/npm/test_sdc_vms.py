"""What sdc-clients 13 does to VMs that are there: their nics, snapshots, images and role tags."""

from __future__ import annotations

import pytest

from tests.contract.npm.test_sdc_clients import ABSENT, LAYER, failure, image, payload  # noqa: F401 - fixtures

pytestmark = pytest.mark.npm


@pytest.fixture
def which(clients, payload):  # noqa: F811
    clients.VMAPI.createVm({"payload": payload, "sync": True})
    return {"uuid": payload["uuid"], "owner_uuid": payload["owner_uuid"]}


def test_nics(clients, dc, which):
    vmapi = clients.VMAPI
    network = dc.napi.networks(name="external")[0]["uuid"]
    vmapi.addNics({**which, "networks": [{"uuid": network}], "sync": True})
    first, second = vmapi.getVm(which)["nics"]
    vmapi.updateNics({**which, "nics": [{"mac": second["mac"], "primary": True}], "sync": True})
    assert [nic.get("primary", False) for nic in vmapi.getVm(which)["nics"]] == [False, True]
    vmapi.removeNics({**which, "macs": [first["mac"]], "sync": True})
    assert [nic["mac"] for nic in vmapi.getVm(which)["nics"]] == [second["mac"]]
    made = clients.NAPI.provisionNic(network, {"owner_uuid": which["owner_uuid"], "belongs_to_uuid": which["uuid"],
                                               "belongs_to_type": "zone"})  # fmt: skip
    vmapi.addNics({**which, "macs": [made["mac"]], "sync": True})
    assert [nic["mac"] for nic in vmapi.getVm(which)["nics"]] == [second["mac"], made["mac"]]
    assert failure(vmapi.addNics, {**which, "networks": ["x"]}) == (409, "ValidationFailed")
    assert failure(vmapi.removeNics, {**which, "macs": ["90:b8:d0:ff:ff:ff"], "sync": True}) == (
        404,
        "ResourceNotFound",
    )


def test_snapshots_and_reprovision(clients, which):
    vmapi = clients.VMAPI
    vmapi.snapshotVm({**which, "name": "one", "sync": True})
    vmapi.snapshotVm({**which, "name": "two", "sync": True})
    assert [snapshot["name"] for snapshot in vmapi.getVm(which)["snapshots"]] == ["one", "two"]
    vmapi.rollbackVm({**which, "name": "one", "sync": True})
    assert vmapi.getVm(which)["state"] == "running"
    vmapi.deleteSnapshot({**which, "name": "one", "sync": True})
    assert [job["params"]["snapshot_name"] for job in vmapi.listJobs({"vm_uuid": which["uuid"], "task": "snapshot"})] == [
        "one", "one", "two", "one"
    ]  # fmt: skip
    vmapi.reprovisionVm({**which, "image_uuid": LAYER, "sync": True})
    assert vmapi.getVm(which)["snapshots"] == []
    assert failure(vmapi.reprovisionVm, {**which, "image_uuid": ABSENT}) == (409, "ValidationFailed")


def test_role_tags(clients, which):
    vmapi, roles = clients.VMAPI, [ABSENT.replace("4", digit) for digit in "12"]
    assert vmapi.listRoleTags(which) == []
    vmapi.setRoleTags({**which, "role_tags": roles[:1]})
    vmapi.addRoleTags({**which, "role_tags": roles})
    assert vmapi.listRoleTags(which) == roles
    vmapi.deleteRoleTag(which, roles[0])
    assert vmapi.listRoleTags(which) == roles[1:]
    vmapi.deleteAllRoleTags(which)
    assert vmapi.listRoleTags(which) == []
