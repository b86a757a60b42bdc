"""The services as the clients of sdc-clients 13 meet them, which operators and sdc-docker use."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.contract.npm.conftest import ClientError

pytestmark = pytest.mark.npm

LAYER = "2f538996-672a-11e9-b3f5-0b8a0e2ff8f5"
ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def image(dc, clients):
    """An image that was imported, filled and activated through the client."""
    manifest = {"v": 2, "uuid": LAYER, "owner": dc.mahi.admin_uuid, "name": "ubuntu", "version": "22.04",
                "type": "docker", "os": "linux", "public": True, "published_at": "2020-01-01T00:00:00Z"}  # fmt: skip
    clients.IMGAPI.adminImportImage(manifest, {"skipOwnerCheck": True})
    http = dc.imgapi.app.test_client()
    assert http.put(f"/images/{LAYER}/file?compression=none", data=b"abcd").status_code == 200
    return clients.IMGAPI.activateImage(LAYER, dc.mahi.admin_uuid)


@pytest.fixture
def payload(dc, image):
    made = str(uuid.uuid4())
    return {
        "uuid": made, "owner_uuid": dc.mahi.admin_uuid, "alias": "web", "brand": "lx", "docker": True, "autoboot": False,
        "kernel_version": "3.13.0", "image_uuid": image["uuid"],
        "billing_id": dc.papi.search({"name": "sample-1G"})[0]["uuid"],
        "networks": [{"uuid": dc.napi.networks(name="external")[0]["uuid"], "primary": True}],
        "tags": {"sdc_docker": True}, "internal_metadata": {"docker:id": made.replace("-", "") + "5" * 32},
    }  # fmt: skip


def failure(call, *args):
    with pytest.raises(ClientError) as caught:
        call(*args)
    return caught.value.status, caught.value.code


def test_pings(clients):
    for service in ("VMAPI", "CNAPI", "NAPI", "IMGAPI", "CNS"):
        getattr(clients, service).ping()
    assert clients.FWAPI.ping({})["healthy"] is True


def test_vmapi_lifecycle(clients, payload):
    """Jobs are waited for in the workflow service that the answers name, as operators' scripts do."""
    vmapi, owner = clients.VMAPI, {"owner_uuid": payload["owner_uuid"]}
    made = vmapi.createVm({"payload": payload, "sync": True})
    assert made["vm_uuid"] == payload["uuid"]
    which = {"uuid": payload["uuid"], **owner}
    assert vmapi.getVm(which)["state"] == "stopped"
    for method, params, state in (
        ("startVm", {}, "running"),
        ("rebootVm", {}, "running"),
        ("stopVm", {"timeout": 1}, "stopped"),
        ("startVm", {"idempotent": True}, "running"),
        ("killVm", {"signal": "SIGKILL"}, "stopped"),
    ):
        job = getattr(vmapi, method)({**which, "sync": True, **params})
        assert vmapi.getVm(which)["state"] == state
        assert vmapi.getJob(job["job_uuid"])["execution"] == "succeeded"
    vmapi.updateVm({**which, "payload": {"alias": "shop"}, "sync": True})
    assert [vm["alias"] for vm in vmapi.listVms({**owner, "alias": "shop"})] == ["shop"]
    vmapi.addMetadata("tags", {**which, "metadata": {"role": "www"}, "sync": True})
    assert vmapi.listMetadata("tags", which) == {"sdc_docker": True, "role": "www"}
    assert len(vmapi.listJobs({"vm_uuid": payload["uuid"]})) == 8
    vmapi.deleteVm({**which, "sync": True})
    assert vmapi.getVm(which)["state"] == "destroyed"
    assert vmapi.listVms({**owner, "state": "active"}) == []


def test_vmapi_refusals(clients, payload):
    vmapi = clients.VMAPI
    vmapi.createVm({"payload": payload, "sync": True})
    again = {**payload, "uuid": str(uuid.uuid4())}
    assert failure(vmapi.createVm, {"payload": again}) == (409, "ValidationFailed")
    assert failure(vmapi.listVms, {"nonsense": 1}) == (409, "ValidationFailed")
    assert failure(vmapi.getVm, {"uuid": ABSENT}) == (404, "ResourceNotFound")
    assert failure(vmapi.getVm, {"uuid": payload["uuid"], "owner_uuid": ABSENT}) == (404, "ResourceNotFound")


def test_vmapi_pages(clients, payload):
    for number in range(3):
        vm = {**payload, "uuid": str(uuid.uuid4()), "alias": f"web{number}"}
        clients.VMAPI.createVm({"payload": vm, "sync": True})
    assert len(clients.VMAPI.listVms({"limit": 2})) == 2
    predicate = {"and": [{"eq": ["docker", True]}, {"ne": ["state", "destroyed"]}]}
    assert len(clients.VMAPI.listVms({"predicate": predicate})) == 3


def test_cnapi(clients, node, payload):
    clients.VMAPI.createVm({"payload": payload, "sync": True})
    cnapi, vm = clients.CNAPI, payload["uuid"]
    (server,) = cnapi.listServers({"extras": "sysinfo,capacity"})
    assert server["uuid"] == node.uuid
    assert cnapi.getServer(node.uuid)["sysinfo"]["UUID"] == node.uuid
    assert cnapi.capacity([node.uuid])["capacities"].keys() == {node.uuid}
    task = cnapi.startVm(node.uuid, vm, {})
    assert cnapi.waitTask(task["id"], {})["status"] == "complete"
    assert cnapi.getTask(task["id"])["task"] == "machine_boot"
    ticket = {"scope": "vm", "id": vm, "expires_at": "2199-01-01T00:00:00.000Z"}
    held = cnapi.waitlistTicketCreate(node.uuid, ticket)
    cnapi.waitlistTicketWait(held["uuid"])
    cnapi.waitlistTicketRelease(held["uuid"])
    assert cnapi.waitlistTicketGet(held["uuid"])["status"] == "finished"
    assert cnapi.dockerExec(node.uuid, vm, {"command": {"Cmd": ["ls"]}}) == {"host": "127.0.0.1", "port": 45321}
    assert failure(cnapi.getServer, ABSENT) == (404, "ResourceNotFound")


def test_napi(clients, dc):
    napi, owner = clients.NAPI, str(uuid.uuid4())
    (external,) = napi.listNetworks({"name": "external"})
    assert napi.getNetwork(external["uuid"], {}) == external
    assert {tag["name"] for tag in napi.listNicTags({})} >= {"admin", "external"}
    assert napi.listNetworkPools({}) == []
    nic = napi.provisionNic(
        external["uuid"], {"owner_uuid": owner, "belongs_to_uuid": owner, "belongs_to_type": "zone"}
    )
    assert napi.getNic(nic["mac"], {})["ip"] == nic["ip"]
    assert napi.listNics({"belongs_to_uuid": owner}) == [nic]
    assert napi.getIP(external["uuid"], nic["ip"], {})["belongs_to_uuid"] == owner
    assert [found["network_uuid"] for found in napi.searchIPs(nic["ip"], {})] == [external["uuid"]]
    napi.deleteNic(nic["mac"], {})
    assert napi.listNics({"belongs_to_uuid": owner}) == []
    napi.createFabricVLAN(owner, {"name": "two", "vlan_id": 2})
    made = napi.createFabricNetwork(
        owner, 2, {"name": "n", "subnet_alloc": True, "family": "ipv4", "subnet_prefix": 24}
    )
    assert napi.listFabricNetworks(owner, 2, {}) == [made]
    napi.deleteFabricNetwork(owner, 2, made["uuid"], {})
    napi.deleteFabricVLAN(owner, 2, {})
    assert napi.listFabricVLANs(owner, {}) == []


def test_imgapi(clients, image):
    imgapi = clients.IMGAPI
    assert image["state"] == "active"
    assert [known["uuid"] for known in imgapi.listImages({"name": "ubuntu"})] == [LAYER]
    assert imgapi.getImage(LAYER)["files"][0]["size"] == 4
    assert failure(imgapi.getImage, ABSENT) == (404, "ResourceNotFound")
    imgapi.deleteImage(LAYER)
    assert imgapi.listImages({}) == []


def test_papi(clients):
    papi = clients.PAPI
    found = papi.list("(&(active=true)(max_physical_memory>=1024))", {})
    assert {package["name"] for package in found} >= {"sample-1G"}
    one = next(package for package in found if package["name"] == "sample-1G")
    assert papi.get(one["uuid"], {}) == one
    assert [package["uuid"] for package in papi.list({"name": "sample-1G"}, {})] == [one["uuid"]]
    fields = "name version active cpu_cap max_lwps max_physical_memory max_swap quota zfs_io_priority".split()
    made = papi.add({**{field: one[field] for field in fields}, "name": "mine", "default": False})
    assert papi.get(made["uuid"], {})["name"] == "mine"
    assert failure(papi.get, ABSENT, {}) == (404, "ResourceNotFound")


def test_fwapi(clients, payload):
    clients.VMAPI.createVm({"payload": payload, "sync": True})
    fwapi, owner = clients.FWAPI, payload["owner_uuid"]
    text = f"FROM any TO vm {payload['uuid']} ALLOW tcp PORT 80"
    made = fwapi.createRule({"owner_uuid": owner, "enabled": True, "rule": text})
    assert fwapi.getRule(made["uuid"], {"owner_uuid": owner})["rule"] == text
    assert [rule["uuid"] for rule in fwapi.listRules({"owner_uuid": owner})] == [made["uuid"]]
    assert [vm["uuid"] for vm in fwapi.getRuleVMs(made["uuid"], {})] == [payload["uuid"]]
    assert [rule["uuid"] for rule in fwapi.getVMrules(payload["uuid"], {})] == [made["uuid"]]
    fwapi.updateRule(made["uuid"], {"owner_uuid": owner, "enabled": False})
    assert fwapi.getRule(made["uuid"], {"owner_uuid": owner})["enabled"] is False
    fwapi.deleteRule(made["uuid"], {"owner_uuid": owner})
    assert failure(fwapi.getRule, made["uuid"], {"owner_uuid": owner}) == (404, "ResourceNotFound")
    assert failure(fwapi.createRule, {"owner_uuid": owner, "enabled": True, "rule": "FROM nowhere"})[0] == 422


def test_cns(clients, dc):
    networks = [dc.napi.networks(name="external")[0]["uuid"]]
    assert "suffixes" in clients.CNS.getSuffixesForVM(dc.mahi.admin_uuid, networks)


def test_volapi(clients, dc, node):
    """As operators' scripts and VMAPI's jobs use it: made and deleted while they wait, used by VMs that they name."""
    dc.volapi.set_up()
    volapi, owner = clients.VOLAPI, dc.mahi.admin_uuid
    networks = [dc.napi.ensure_default_fabric(owner)["uuid"]]
    volapi.ping()
    assert volapi.listVolumeSizes({"type": "tritonnfs"})[0] == {"size": 10240, "type": "tritonnfs"}
    asked = {"owner_uuid": owner, "type": "tritonnfs", "networks": networks, "name": "data"}
    made = volapi.createVolumeAndWait(asked)
    which = {"uuid": made["uuid"], "owner_uuid": owner}
    assert (made["state"], volapi.getVolume(which)) == ("ready", made)
    assert failure(volapi.createVolume, asked) == (409, "VolumeAlreadyExists")
    assert failure(volapi.createVolume, {**asked, "name": "big", "size": 1}) == (409, "VolumeSizeNotAvailable")
    assert volapi.listVolumes({"owner_uuid": owner, "name": "data"}) == [made]
    predicate = json.dumps({"and": [{"eq": ["dangling", True]}, {"eq": ["state", "ready"]}]})
    assert volapi.listVolumes({"owner_uuid": owner, "predicate": predicate}) == [made]
    volapi.updateVolume({**which, "name": "store"})
    assert volapi.getVolume(which)["name"] == "store"
    user = {"owner_uuid": owner, "vm_uuid": ABSENT}
    held = volapi.createVolumeReservation({**user, "job_uuid": ABSENT, "volume_name": "store"})
    assert failure(volapi.deleteVolume, which) == (409, "VolumeInUse")
    volapi.addVolumeReference({**user, "volume_uuid": made["uuid"]})
    assert volapi.getVolume(which)["refs"] == [ABSENT]
    assert failure(volapi.deleteVolumeReservation, {"uuid": held["uuid"], "owner_uuid": owner})[0] == 404
    volapi.removeVolumeReference({**user, "volume_uuid": made["uuid"]})
    volapi.deleteVolumeAndWait(which)
    dc.wfapi.engine.wait(dc.wfapi.engine.find({"task": "delete_volume"})[0]["uuid"], 10)
    assert failure(volapi.getVolume, which) == (404, "VolumeNotFound")
