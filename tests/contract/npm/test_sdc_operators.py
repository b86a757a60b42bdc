"""What operators' scripts do with sdc-clients 13 beside the lives of VMs: networks, packages, counts, waits."""

from __future__ import annotations

import uuid

import pytest

from tests.contract.npm.test_sdc_clients import ABSENT, LAYER, failure, image, payload  # noqa: F401 - fixtures

pytestmark = pytest.mark.npm

PACKAGE = {
    "name": "mine", "version": "1.0.0", "active": True, "cpu_cap": 100, "max_lwps": 1000, "max_physical_memory": 256,
    "max_swap": 512, "quota": 10240, "zfs_io_priority": 100, "default": False, "group": "own",
}  # fmt: skip


def test_vms_are_counted_and_their_metadata_kept(clients, payload, dc):  # noqa: F811
    """Not tried: createVmAndWait and addNicsAndWait, which find the workflow service by a VMAPI host's name alone."""
    vmapi = clients.VMAPI
    vmapi.createVm({"payload": payload, "sync": True})
    assert vmapi.countVms({"owner_uuid": payload["owner_uuid"]}) == 1
    assert vmapi.countVms({"state": "destroyed"}) == 0
    which = {"uuid": payload["uuid"], "owner_uuid": payload["owner_uuid"]}
    network = {"uuid": dc.napi.networks(name="external")[0]["uuid"]}
    vmapi.addNics({**which, "networks": [network], "sync": True})
    assert len(vmapi.getVm(which)["nics"]) == 2
    vmapi.setMetadata("customer_metadata", {**which, "metadata": {"a": "1", "b": "2"}, "sync": True})
    vmapi.deleteMetadata("customer_metadata", {**which, "sync": True}, "a")
    assert vmapi.getMetadata("customer_metadata", "b", which) == "2"
    vmapi.deleteAllMetadata("customer_metadata", {**which, "sync": True})
    assert vmapi.listMetadata("customer_metadata", which) == {}


def test_networks_pools_and_tags(clients, dc):
    napi = clients.NAPI
    napi.createNicTag("storage", {"mtu": 9000})
    assert napi.updateNicTag("storage", {"mtu": 1500})["mtu"] == 1500
    given = {"name": "s", "nic_tag": "storage", "vlan_id": 5, "subnet": "10.99.9.0/24", "gateway": "10.99.9.1",
             "provision_start_ip": "10.99.9.5", "provision_end_ip": "10.99.9.9", "resolvers": ["10.99.9.2"]}  # fmt: skip
    made = napi.createNetwork(given)
    assert napi.getNicTag("storage")["name"] == "storage"
    assert failure(napi.deleteNicTag, "storage") == (422, "InUse")
    assert napi.updateNetwork(made["uuid"], {"resolvers": []})["resolvers"] == []
    (external,) = napi.listNetworks({"name": "external"})
    pool = napi.createNetworkPool("both", {"networks": [made["uuid"], external["uuid"]]})
    assert napi.updateNetworkPool(pool["uuid"], {"description": "either"})["description"] == "either"
    assert [found["uuid"] for found in napi.listNetworkPools({"name": "both"})] == [pool["uuid"]]
    assert napi.getNetworkPool(pool["uuid"], {})["nic_tags_present"] == ["storage", "external"]
    assert failure(napi.deleteNetwork, made["uuid"], {}) == (422, "InUse")
    napi.deleteNetworkPool(pool["uuid"], {})
    napi.deleteNetwork(made["uuid"], {})
    napi.deleteNicTag("storage")
    assert failure(napi.getNetwork, made["uuid"], {}) == (404, "ResourceNotFound")


def test_bundles_of_nics(clients, node):
    napi, owner = clients.NAPI, str(uuid.uuid4())
    holder = {"owner_uuid": owner, "belongs_to_uuid": node.uuid, "belongs_to_type": "server"}
    macs = [napi.createNic(f"90:b8:d0:0a:0b:0{last}", holder)["mac"] for last in (1, 2)]
    made = napi.createAggr({"name": "aggr0", "macs": macs, "nic_tags_provided": ["external"]})
    assert napi.getAggr(made["id"]) == made
    assert napi.listAggrs({"belongs_to_uuid": node.uuid, "macs": macs}) == [made]
    changed = napi.updateAggr(made["id"], {"lacp_mode": "active"})
    assert changed == {**made, "lacp_mode": "active"}
    assert failure(napi.createAggr, {"name": "aggr0", "macs": macs}) == (422, "InvalidParameters")
    napi.deleteAggr(made["id"])
    assert napi.listAggrs({}) == []
    assert failure(napi.getAggr, made["id"]) == (404, "ResourceNotFound")


def test_whole_servers(clients, node, doors):
    cnapi = clients.CNAPI
    cnapi.setBootParams(node.uuid, {"kernel_args": {"a": "b"}})
    assert cnapi.getBootParams(node.uuid)["kernel_args"]["a"] == "b"
    assert cnapi.getBootParams("default")["platform"] == node.sysinfo()["Live Image"]
    cnapi.refreshSysinfoAndWait(node.uuid, doors.wfapi)
    assert node.did("server_sysinfo") == [{}]
    cnapi.setupServer(node.uuid, {})
    assert failure(cnapi.rebootServer, node.uuid) == (501, "NotImplemented")
    assert failure(cnapi.commandExecute, node.uuid, "true", {}) == (501, "NotImplemented")


def test_nics_addresses_and_fabrics(clients, dc):
    napi, owner = clients.NAPI, str(uuid.uuid4())
    (external,) = napi.listNetworks({"name": "external"})
    holder = {"owner_uuid": owner, "belongs_to_uuid": owner, "belongs_to_type": "zone"}
    made = napi.createNic("90:b8:d0:01:02:03", {**holder, "network_uuid": external["uuid"]})
    assert napi.updateNic(made["mac"], {"state": "running"})["state"] == "running"
    assert [nic["mac"] for nic in napi.getNics(owner)] == [made["mac"]]
    free = external["provision_end_ip"]
    assert napi.updateIP(external["uuid"], free, {"reserved": True})["reserved"] is True
    assert free in [ip["ip"] for ip in napi.listIPs(external["uuid"], {})]
    assert [ip["ip"] for ip in napi.listIPs(external["uuid"], {"belongs_to_uuid": owner})] == [made["ip"]]
    assert failure(napi.createNic, made["mac"], {**holder, "network_uuid": external["uuid"]})[0] == 422
    napi.createFabricVLAN(owner, {"name": "two", "vlan_id": 2})
    assert napi.updateFabricVLAN(owner, 2, {"name": "II"})["name"] == "II"
    network = napi.createFabricNetwork(owner, 2, {"name": "n", "subnet_alloc": True, "subnet_prefix": 24})
    assert napi.updateFabricNetwork(owner, 2, network["uuid"], {"name": "m"})["name"] == "m"
    assert napi.getFabricNetwork(owner, 2, network["uuid"], {})["name"] == "m"
    assert napi.listFabricVLANs(owner, {"fields": ["vlan_id", "name"]}) == [{"vlan_id": 2, "name": "II"}]


def test_packages(clients):
    papi, owner = clients.PAPI, str(uuid.uuid4())
    made = papi.add({**PACKAGE, "owner_uuids": [owner]})
    assert failure(papi.update, made["uuid"], {"quota": 20480}) == (409, "InvalidArgument")
    assert papi.update(made["uuid"], {"quota": 20480, "force": True})["quota"] == 20480
    assert papi.update(made["uuid"], {"active": False})["active"] is False
    assert papi.get(made["uuid"], {"owner_uuids": owner})["name"] == "mine"
    assert failure(papi.get, made["uuid"], {"owner_uuids": ABSENT}) == (404, "ResourceNotFound")
    assert papi.list({"name": "sample-*"}, {}) == []  # the client escapes the star
    samples = papi.list({"name": "sample-*"}, {"escape": False, "sort": "max_physical_memory", "order": "DESC"})
    assert [package["name"] for package in samples][:2] == ["sample-64G", "sample-32G"]
    assert len(papi.list({"name": ["sample-1G", "mine"]}, {})) == 2
    assert failure(papi.del_, made["uuid"], {}) == (405, "BadMethod")
    papi.del_(made["uuid"], {"force": True})
    assert failure(papi.get, made["uuid"], {}) == (404, "ResourceNotFound")


def test_images_change(clients, image, dc):  # noqa: F811
    imgapi, admin = clients.IMGAPI, dc.mahi.admin_uuid
    assert imgapi.updateImage(LAYER, {"description": "told"}, admin)["description"] == "told"
    assert imgapi.disableImage(LAYER, admin)["state"] == "disabled"
    assert imgapi.enableImage(LAYER, admin)["state"] == "active"
    friend = str(uuid.uuid4())
    assert friend in imgapi.addImageAcl(LAYER, [friend], admin)["acl"]
    assert friend not in imgapi.removeImageAcl(LAYER, [friend], admin).get("acl", [])


def test_names_of_vms(clients, payload, dc):  # noqa: F811
    dc.mahi.set_attributes("admin", triton_cns_enabled=True)
    clients.VMAPI.createVm({"payload": payload, "sync": True})
    names = clients.CNS.getVM(payload["uuid"])["names"]
    assert f"web.inst.{payload['owner_uuid']}.emb.cns.test" in names
    assert [zone["name"] for zone in clients.CNS.listZones()] == ["emb.cns.test"]
    assert clients.CNS.listPeers() == clients.CNS.listAllowedPeers() == []
    assert failure(clients.CNS.getVM, ABSENT)[0] == 404
