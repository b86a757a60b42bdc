"""The steps of the jobs that add, change and remove nics.

A nic is NAPI's first, then the node's, then the VM's record's. What a job has not brought as far as the record when it
fails is taken back from both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.services.vmapi import nics
from datacenter.services.vmapi.networks import find_network, nic_tags
from datacenter.services.vmapi.record import Vm
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.services.vmapi.steps import Steps
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

NODE_LIMIT = 120.0


class NicSteps:
    def __init__(self, dc: DataCenter, vmapi: Vmapi, steps: Steps) -> None:
        self._dc = dc
        self._vmapi = vmapi
        self._steps = steps

    # adding

    def validate_networks(self, job: Job) -> str:
        """Find the networks, or the nics that NAPI is to have for the VM already."""
        vm = self._steps.vm(job)
        refs = job.params.get("provisions") or ()
        networks = [find_network(self._dc.napi, ref, vm["owner_uuid"]) for ref in refs]
        job.notes["networks"] = networks
        job.notes["nic_tags"] = [nic_tags(network) for network in networks]
        for mac in job.params.get("macs") or ():
            nic = self._dc.napi.nics.get(mac)
            if nic is None or nic["belongs_to_uuid"] != vm["uuid"]:
                raise TaskError("ResourceNotFound", f"VM has no NIC with MAC address {mac} in NAPI", 404)
            if not nic.get("ip"):
                raise TaskError("InvalidArgument", f"NIC {mac} is on no network", 409)
            if mac in _macs_of(vm) and not job.resumed:
                raise TaskError("InvalidArgument", f"NIC {mac} was added to the VM before", 409)
            job.notes["nic_tags"].append([nic["nic_tag"]])
        return "Networks are valid"

    def check_server_nic_tags(self, job: Job) -> str:
        self._dc.cnapi.check_nic_tags(self._server(job), job.notes["nic_tags"])
        return "Server has all the required NIC tags"

    def provision_nics(self, job: Job) -> str:
        """Make the nics, but for those that an earlier run of the job has made."""
        vm = self._steps.vm(job)
        for ref, network in zip(job.params.get("provisions") or (), job.notes["networks"], strict=True):
            if self._dc.napi.nics.get(ref["mac"]) is None:
                self._dc.napi.provision_nic(
                    network["uuid"],
                    owner_uuid=vm["owner_uuid"],
                    belongs_to_uuid=vm["uuid"],
                    cn_uuid=self._server(job),
                    ip=ref.get("ip"),
                    mac=ref["mac"],
                )
        return "NICs allocated"

    def add_network_params(self, job: Job) -> str:
        """Give the new nics their interfaces; it is this job's turn, so no other will take the same."""
        vm = self._steps.vm(job)
        primaries = {ref["mac"]: ref.get("primary", False) for ref in job.params.get("provisions") or ()}
        macs = [mac for mac in (*primaries, *(job.params.get("macs") or ())) if mac not in _macs_of(vm)]
        fresh = [self._dc.napi.nics.get(mac) for mac in macs]
        told = [{**nic, "primary": primaries.get(nic["mac"], nic.get("primary"))} for nic in fresh if nic is not None]
        if len(told) != len(macs):
            raise TaskError("ResourceNotFound", "a NIC was removed while it was being added", 404)
        self._change(job, vm, nics.added(vm["nics"], told))
        return "Network parameters updated"

    def cleanup_nics(self, job: Job) -> str:
        """Take back what did not come as far as the VM's record, from the node first: its address is in use there.

        When the node is away, it is done when it is back.
        """
        vm_uuid, server_uuid = job.vm_uuid, self._server(job)
        vm = self._vmapi.table.get(vm_uuid)
        held = set() if vm is None else _macs_of(vm)
        wanted = [ref["mac"] for ref in job.params.get("provisions") or ()] + (job.params.get("macs") or [])
        strays = [mac for mac in wanted if mac not in held and self._is_ours(mac, vm_uuid)]
        if not strays:
            return "Nothing to clean up"
        self._vmapi.doomed.doom_nics(vm_uuid, server_uuid, strays)
        try:
            params = {"uuid": vm_uuid, "remove_nics": strays}
            self._dc.cnapi.task(server_uuid, "machine_update", params, timeout=NODE_LIMIT, req_id=job.request_id)
        except TaskError as error:
            if error.rest_code not in {"VmNotFound", "ResourceNotFound"}:
                raise
        with self._dc.store.transaction():
            for mac in strays:
                self._dc.napi.nics.delete(mac)
            primary = nics.primary_mac(vm["nics"]) if vm else None
            if primary is not None and self._is_ours(primary, vm_uuid):
                self._dc.napi.nics.update(primary, {"primary": True})
            self._vmapi.doomed.undoom_nics(strays)
        return "NICs removed"

    # removing and changing

    def remove_network_params(self, job: Job) -> str:
        """Find out who is left, and who of them is primary. ``strays`` are nics that no record knows."""
        vm = self._steps.vm(job)
        wanted = job.params["remove_nics"]
        unknown = [mac for mac in wanted if mac not in _macs_of(vm)]
        if unknown and not (job.resumed or job.params.get("strays")):
            raise TaskError("ResourceNotFound", f"VM has no NIC with MAC address {unknown[0]}", 404)
        self._change(job, vm, nics.without(vm["nics"], wanted))
        job.notes["payload"]["remove_nics"] = wanted
        return "Network parameters updated"

    def remove_nics(self, job: Job) -> str:
        """Forget the nics, now that nobody uses them: NAPI's and the record's in one step."""
        vm, macs = self._steps.vm(job), job.params["remove_nics"]
        with self._dc.store.transaction():
            for mac in macs:
                if self._is_ours(mac, vm["uuid"]):
                    self._dc.napi.nics.delete(mac)
            self._put(job, vm)
            self._vmapi.doomed.undoom_nics(macs)
        return "NICs removed"

    def update_network_params(self, job: Job) -> str:
        vm, updates = self._steps.vm(job), job.params["update_nics"]
        unknown = [update["mac"] for update in updates if update["mac"] not in _macs_of(vm)]
        if unknown:
            raise TaskError("ResourceNotFound", f"VM has no NIC with MAC address {unknown[0]}", 404)
        self._change(job, vm, nics.updated(vm["nics"], updates))
        return "Network parameters updated"

    # what they share

    def update_vm(self, job: Job) -> str | None:
        """Have the node do it."""
        return self._steps.node_task("machine_update", lambda job: job.notes["payload"], lambda _: NODE_LIMIT)(job)

    def put_vm(self, job: Job) -> str:
        """Put the nics on record, and what changed of them into NAPI."""
        vm = self._steps.vm(job)
        with self._dc.store.transaction():
            self._put(job, vm)
        return "VM nics updated"

    def _change(self, job: Job, vm: Vm, after: list[nics.Nic]) -> None:
        """Note the nics a VM is to have, and what its node has to be told: what is new, and what is otherwise."""
        before = {nic["mac"]: nic for nic in vm["nics"]}
        fresh = [nic for nic in after if nic["mac"] not in before]
        changes = [update for nic in after if (update := _difference(before.get(nic["mac"]), nic))]
        resolvers = nics.resolvers_after(vm, after)
        job.notes["nics"], job.notes["resolvers"] = after, resolvers
        payload = {"add_nics": fresh, "update_nics": changes, "resolvers": resolvers}
        job.notes["payload"] = {key: value for key, value in payload.items() if value or key == "resolvers"}

    def _put(self, job: Job, vm: Vm) -> None:
        after = job.notes["nics"]
        state = vm["state"] if vm["state"] in {"running", "stopped"} else "stopped"
        for nic in after:
            if self._dc.napi.nics.get(nic["mac"]) is None:
                continue  # an operator deleted it in NAPI: the VM has it all the same
            flags = {field: value for field, value in nic.items() if field.startswith("allow_")}
            self._dc.napi.nics.update(nic["mac"], {**flags, "state": state, "primary": nic.get("primary", False)})
        now = max(iso(), vm["last_modified"])
        changes = {"nics": after, "resolvers": job.notes["resolvers"], "last_modified": now}
        self._vmapi.table.put({**vm, **changes})
        job.notes.pop("news", None)

    def _is_ours(self, mac: str, vm_uuid: str) -> bool:
        nic = self._dc.napi.nics.get(mac)
        return nic is not None and nic["belongs_to_uuid"] == vm_uuid

    def _server(self, job: Job) -> str:
        return str(job.params["server_uuid"])


def _macs_of(vm: Vm) -> set[str]:
    return {str(nic["mac"]) for nic in vm["nics"]}


def _difference(before: nics.Nic | None, after: nics.Nic) -> nics.Nic | None:
    """What the node has to know of a nic that it has; that another is primary now tells it who is not."""
    if before is None:
        return None
    changes = {field: value for field, value in after.items() if before.get(field) != value}
    return {"mac": after["mac"], **changes} if changes else None
