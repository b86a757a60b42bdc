"""A data center in memory, and calls upon it."""

from __future__ import annotations

import copy
import json
import uuid as uuids
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from gateway.call import Account, Call, Peer
from gateway.operations import by_name
from gateway.settings import TritonSettings
from gateway.state import State
from gateway.state.image_records import ImageRecord
from gateway.versions import CEILING
from grammars.predicates import build
from sdc.errors import SdcError, SdcUnavailable
from translators.containers import vmfeed

ALICE = "930896af-bf8c-48d4-885c-6573a94b1853"
BOB = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
FABRIC = "a8f01111-1111-4111-8111-111111111111"
EXTERNAL = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f01"
SERVER = "44454c4c-5300-1057-804e-b5c04f445a31"
PACKAGE = {"uuid": "7b17343c-94af-6266-e0e8-893a3b9993d0", "name": "sample-128M", "max_physical_memory": 128}
LINUX = frozenset({"linux-options", "oom-status"})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FakeVmapi:
    """Keeps VMs; every job is done when it is asked for, unless ``failing`` names its task."""

    url = "http://127.0.0.1:9"

    def __init__(self) -> None:
        self.vms: dict[str, dict] = {}
        self.jobs: dict[str, dict] = {}
        self.failing: dict[str, dict] = {}
        self.acts: list[tuple] = []
        self.away = 0
        self.volapi: FakeVolapi | None = None

    def _job(self, task, vm_uuid, error=None):
        uuid = str(uuids.uuid4())
        error = error or self.failing.get(task)
        results = [{"name": f"cnapi.{task}", "result": "" if error else "OK", "error": error or ""}]
        self.jobs[uuid] = {
            "uuid": uuid,
            "name": f"{task}-7.0.0",
            "execution": "failed" if error else "succeeded",
            "params": {"vm_uuid": vm_uuid, "task": task},
            "chain_results": results,
        }
        return uuid

    def list_vms(self, *, predicate=None, **filters):
        vms = [vm for vm in self.vms.values() if predicate is None or build(predicate).matches(vm)]
        if "state" in filters:
            vms = [vm for vm in vms if vm["state"] not in {"failed", "destroyed"}]
        return copy.deepcopy(vms)

    def get_vm(self, uuid, owner_uuid=None, *, sync=False):
        if uuid not in self.vms or owner_uuid not in (None, self.vms[uuid]["owner_uuid"]):
            raise SdcError("vmapi", 404, "ResourceNotFound", "VM not found")
        return copy.deepcopy(self.vms[uuid])

    def create_vm(self, payload):
        if self.away:
            self.away -= 1
            raise SdcUnavailable("vmapi", 503, "ServiceUnavailable", "starting")
        alive = [vm for vm in self.vms.values() if vm["state"] not in {"failed", "destroyed"}]
        if any(vm["alias"] == payload["alias"] and vm["owner_uuid"] == payload["owner_uuid"] for vm in alive):
            errors = [{"field": "alias", "code": "Duplicate", "message": "Already exists for this owner_uuid"}]
            raise SdcError("vmapi", 409, "ValidationFailed", "Invalid VM parameters", errors)
        self.vms[payload["uuid"]] = vm_of(payload) | ({"state": "failed"} if "provision" in self.failing else {})
        if self.volapi is not None and "provision" not in self.failing:
            self.volapi.provide(payload)
        return self._job("provision", payload["uuid"])

    def act(self, uuid, action, owner_uuid, **parameters):
        self.acts.append((action, parameters))
        vm = self.get_vm(uuid, owner_uuid)
        if action not in self.failing:
            if action in {"start", "reboot"}:
                vm |= {"state": "running", "boot_timestamp": now(), "pid": 7}
            elif action == "stop" or (action == "kill" and parameters["signal"] == "SIGKILL"):
                vm |= {"state": "stopped", "zone_state": "installed", "exit_status": 137, "exit_timestamp": now()}
            elif action == "update":
                vm |= parameters
            self.vms[uuid] = vm
        return self._job(action, uuid)

    def add_metadata(self, uuid, owner_uuid, metadata):
        self.acts.append(("add_metadata", dict(metadata)))
        self.get_vm(uuid, owner_uuid)
        if "update" not in self.failing:
            self.vms[uuid]["internal_metadata"] |= metadata
        return self._job("update", uuid)

    def delete_metadata(self, uuid, owner_uuid, key):
        self.acts.append(("delete_metadata", key))
        if key not in self.get_vm(uuid, owner_uuid)["internal_metadata"]:
            raise SdcError("vmapi", 404, "ResourceNotFound", "Metadata key not found")
        del self.vms[uuid]["internal_metadata"][key]
        return self._job("update", uuid)

    def delete_vm(self, uuid, owner_uuid):
        self.get_vm(uuid, owner_uuid)
        self.vms[uuid]["state"] = "destroyed"
        if self.volapi is not None:
            self.volapi.release(uuid)
        return self._job("destroy", uuid)

    def get_job(self, uuid):
        return self.jobs[uuid]

    def list_vm_jobs(self, vm_uuid):
        return [job for job in self.jobs.values() if job["params"]["vm_uuid"] == vm_uuid]

    def proc(self, uuid):
        return self.processes


def vm_of(payload):
    """What VMAPI would keep of a payload once the VM is made."""
    vm = copy.deepcopy(payload)
    nics = [
        {
            "interface": f"net{at}",
            "mac": f"90:b8:d0:00:00:0{at}",
            "ip": f"10.0.{at}.7",
            "netmask": "255.255.252.0",
            "gateway": f"10.0.{at}.1",
            "network_uuid": network.get("uuid") or network.get("ipv4_uuid"),
            "nic_tag": "external" if network.get("uuid") == EXTERNAL else "sdc_overlay/7",
            **({"primary": True} if network.get("primary") else {}),
        }
        for at, network in enumerate(vm.pop("networks"))
    ]
    if volumes := vm.pop("volumes", None):
        told = [{**volume, "nfsvolume": "10.0.0.9:/exports/data"} for volume in volumes]
        vm["internal_metadata"]["docker:nfsvolumes"] = json.dumps(told)
    zonepath = f"/zones/{vm['uuid']}"
    for entry in vm["filesystems"]:
        if not entry["source"].startswith("/"):
            entry["source"] = f"{zonepath}/volumes/{entry['source']}"
    return vm | {
        "state": "stopped",
        "zone_state": "installed",
        "server_uuid": SERVER,
        "create_timestamp": now(),
        "nics": nics,
        "zonepath": zonepath,
        "max_physical_memory": 128,
        "max_swap": 512,
        "cpu_shares": 25,
        "resolvers": vm.get("resolvers", ["8.8.8.8"]),
    }


class FakeFwapi:
    def __init__(self) -> None:
        self.rules: dict[str, dict] = {}

    def list_rules(self, owner_uuid, **filters):
        return [r for r in self.rules.values() if filters.get("vm", "") in r["rule"] and r["owner_uuid"] == owner_uuid]

    def vm_rules(self, vm_uuid, owner_uuid):
        return self.list_rules(owner_uuid, vm=vm_uuid)

    def create_rule(self, rule):
        self.rules[rule["uuid"]] = {**rule, "version": "1.0"}
        return self.rules[rule["uuid"]]

    def delete_rule(self, uuid, owner_uuid):
        del self.rules[uuid]


class FakeVolapi:
    """Keeps volumes, ready with the first look at them; ``failing`` names those that can't be made."""

    SIZES = (10240, 20480)

    def __init__(self) -> None:
        self.volumes: dict[str, dict] = {}
        self.failing: set[str] = set()
        self.asked: list[dict] = []

    def list_volumes(self, *, predicate=None, **filters):
        found = [v for v in self.volumes.values() if all(v[key] == value for key, value in filters.items())]
        return copy.deepcopy([v for v in found if predicate is None or build(predicate).matches(v)])

    def get_volume(self, uuid, owner_uuid):
        volume = self.volumes.get(uuid)
        if volume is None or volume["owner_uuid"] != owner_uuid:
            raise SdcError("volapi", 404, "VolumeNotFound", f"Volume with uuid {uuid} could not be found")
        if volume["state"] == "creating":
            volume["state"] = "failed" if volume["name"] in self.failing else "ready"
            volume["filesystem_path"] = "10.0.0.9:/exports/data"
        if volume["state"] == "deleting":
            del self.volumes[uuid]
        return copy.deepcopy(volume)

    def create_volume(self, volume):
        self.asked.append(volume)
        if any(v["name"] == volume["name"] and v["owner_uuid"] == volume["owner_uuid"] for v in self.volumes.values()):
            raise SdcError("volapi", 409, "VolumeAlreadyExists", "exists")
        if volume.get("size", 10240) not in self.SIZES:
            raise SdcError("volapi", 409, "VolumeSizeNotAvailable", "no such size")
        made = {"uuid": str(uuids.uuid4()), "size": 10240, "create_timestamp": now(), "state": "creating", **volume}
        made["vm_uuid"] = str(uuids.uuid4())
        self.volumes[made["uuid"]] = made
        return copy.deepcopy(made)

    def delete_volume(self, uuid, owner_uuid):
        if self.volumes[uuid].get("refs"):
            raise SdcError("volapi", 409, "VolumeInUse", "is used")
        self.volumes[uuid]["state"] = "deleting"

    def list_volume_sizes(self):
        return list(self.SIZES)

    def get_volume_references(self, uuid):
        return self.volumes[uuid].get("refs", [])

    def provide(self, payload):
        """Make what a VM misses, and count it among the users of what it mounts."""
        for asked in payload.get("volumes", ()):
            volume = self.named(asked["name"])
            if volume is None:
                made = self.create_volume({"name": asked["name"], "owner_uuid": payload["owner_uuid"], "networks": []})
                self.get_volume(made["uuid"], payload["owner_uuid"])
                volume = self.volumes[made["uuid"]]
            volume.setdefault("refs", []).append(payload["uuid"])

    def release(self, vm_uuid):
        for volume in self.volumes.values():
            volume["refs"] = [used for used in volume.get("refs", ()) if used != vm_uuid]

    def named(self, name):
        """The one volume of a name, or None."""
        return next((volume for volume in self.volumes.values() if volume["name"] == name), None)


class FakeNapi:
    def list_networks(self, **filters):
        return [
            {"uuid": FABRIC, "name": "My-Fabric-Network", "fabric": True},
            {"uuid": EXTERNAL, "name": "external"},
        ]

    def list_network_pools(self, **filters):
        return []

    def get_network(self, uuid, provisionable_by=None):
        raise SdcError("napi", 404, "ResourceNotFound", "network not found")


class World:
    """The fakes together; ``call`` makes a call of an account."""

    def __init__(self, folder) -> None:
        self.capabilities = LINUX
        self.vmapi, self.fwapi, self.napi = FakeVmapi(), FakeFwapi(), FakeNapi()
        self.volapi = self.vmapi.volapi = FakeVolapi()
        server = {"uuid": SERVER, "sysinfo": {}}
        cnapi = SimpleNamespace(
            list_servers=lambda **_: [server | {"sysinfo": {"Docker Capabilities": list(self.capabilities)}}]
        )
        papi = SimpleNamespace(get_package=lambda uuid: PACKAGE)
        imgapi = SimpleNamespace(get_image=lambda uuid: {"uuid": uuid, "state": "active"})
        self.services = SimpleNamespace(
            vmapi=self.vmapi,
            fwapi=self.fwapi,
            napi=self.napi,
            volapi=self.volapi,
            papi=papi,
            imgapi=imgapi,
            cns=None,
            cnapi=_Hashable(cnapi),
        )
        self.services.papi = _Hashable(papi)
        self.state = State(folder)
        self.config = TritonSettings(job_timeout=5.0)
        self.add_image("busybox", {"Cmd": ["sh"], "Env": ["PATH=/bin"]})

    def add_image(self, repo, config, digit="1"):
        digest = f"sha256:{digit * 64}"
        layers = f'{{"layers":[{{"digest":"sha256:layer{digit}","size":1}}]}}'
        for owner in (ALICE, BOB):
            record = ImageRecord(
                owner_uuid=owner,
                config_digest=digest,
                image_uuid=str(uuids.uuid5(uuids.NAMESPACE_DNS, repo)),
                manifest_digest=digest,
                manifest_str=layers,
                size=4096,
                created=1.0,
                config={"config": config},
            )
            self.state.images.put(record)
            self.state.images.tag(owner, repo, "latest", digest)

    def call(self, operation="container.inspect", owner=ALICE, version=CEILING, config=None, **query) -> Call:
        return Call(
            request_id="r",
            operation=by_name(operation),
            version=version,
            peer=Peer(address="127.0.0.1:1", transport="tls"),
            query={key: [str(value)] for key, value in query.items()},
            account=Account(uuid=owner, login="someone"),
            hints={"package": PACKAGE},
            services=self.services,
            state=self.state,
            config=config or self.config,
        )

    def vm(self, name):
        """The living VM of a name."""
        return next(
            vm for vm in self.vmapi.vms.values() if vm["alias"] == name and vm["state"] not in {"failed", "destroyed"}
        )


class _Hashable:
    """A namespace that can be the key of a cache, as the clients are."""

    def __init__(self, namespace) -> None:
        self.__dict__.update(namespace.__dict__)


@pytest.fixture(autouse=True)
def _no_feed(monkeypatch):
    """The changefeed has its own tests: here everybody looks for himself."""
    monkeypatch.setattr(vmfeed.VmFeed, "start", lambda self: None)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
