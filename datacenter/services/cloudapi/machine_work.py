"""What customers do to their machines: VMAPI's actions in CloudAPI's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, is_uuid, not_found, truthy
from datacenter.services.cloudapi import audit
from datacenter.services.imgapi.listing import visible_to
from datacenter.services.napi.networks import provisionable
from datacenter.services.volapi.storage import is_storage

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Account = dict[str, Any]
Shown = dict[str, Any]
Vm = dict[str, Any]

AUDIT_LENGTH = 100
"""How many of a machine's latest actions its audit tells."""
PROTECTED = 'Instance has "deletion_protection" enabled'
DEFAULT_KERNEL = "3.13.0"

_STATES = {"start": "stopped", "stop": "running", "reboot": "running"}
_SWITCHES: dict[str, Shown] = {
    "enable_firewall": {"firewall_enabled": True},
    "disable_firewall": {"firewall_enabled": False},
    "enable_deletion_protection": {"indestructible_zoneroot": True},
    "disable_deletion_protection": {"indestructible_zoneroot": False},
}


class MachineWork:
    """Make, change and delete machines of one account at a time. Refusals are RestErrors of CloudAPI's codes."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc

    def vm(self, account: Account, machine_uuid: str) -> Vm:
        """A VM of the account that is still there. Raises 404, and 410 for one that is gone."""
        vm = self._dc.vmapi.vm(machine_uuid) if is_uuid(machine_uuid) else None
        if vm is None or vm["owner_uuid"] != account["uuid"] or is_storage(vm):
            raise not_found(f"{machine_uuid} does not exist")
        if vm["state"] == "destroyed":
            raise RestError(410, "ResourceNotFound", f"{machine_uuid} does not exist")
        return vm

    def create(self, account: Account, given: Mapping[str, Any], request_id: str) -> str:
        """Queue a new machine and return its uuid. Raises 403, 409 for what VMAPI refuses."""
        if account.get("approved_for_provisioning") is False:
            raise RestError(403, "NotAuthorized", "the account is not approved for provisioning")
        image = self._dc.imgapi.get(str(given.get("image")))
        if image is None or not visible_to(image, account["uuid"]):
            raise RestError(409, "InvalidArgument", "image does not exist")
        if unknown := [name for name in _UNSUPPORTED if given.get(name)]:
            raise RestError(409, "InvalidArgument", f"{', '.join(unknown)}: not supported in this data center")
        if image.get("type") == "docker":
            raise RestError(409, "InvalidArgument", "images of type docker are started through Docker")
        package = self._package(account, str(given.get("package")))
        brand = given.get("brand") or ("lx" if image.get("type") == "lx-dataset" else "joyent")
        payload = {
            "owner_uuid": account["uuid"],
            "brand": brand,
            "image_uuid": image["uuid"],
            "billing_id": package["uuid"],
            "networks": self._networks(account, given.get("networks")),
            "firewall_enabled": truthy(given.get("firewall_enabled")),
            "indestructible_zoneroot": truthy(given.get("deletion_protection")),
            "tags": prefixed(given, "tag."),
            "customer_metadata": prefixed(given, "metadata."),
        }
        if brand == "lx":
            payload["kernel_version"] = (image.get("tags") or {}).get("kernel_version", DEFAULT_KERNEL)
        payload |= {ours: given[theirs] for theirs, ours in _PASSED.items() if given.get(theirs) is not None}
        with plain_refusals():
            return self._dc.vmapi.placing.provision(payload, request_id, audit.context(given))[0]

    def act(self, account: Account, machine_uuid: str, given: Mapping[str, Any], request_id: str) -> None:
        """Queue what ``action`` names. Raises 404, 409 InvalidArgument, 409 InvalidState."""
        vm, action = self.vm(account, machine_uuid), str(given.get("action"))
        if action in _STATES:
            if vm["state"] != _STATES[action]:
                raise RestError(409, "InvalidState", f"{machine_uuid} is {vm['state']}")
            asked: Shown = {"action": action}
        elif action in _SWITCHES:
            asked = {"action": "update", **_SWITCHES[action]}
        elif action == "rename":
            asked = {"action": "update", "alias": given.get("name")}
        elif action == "resize":
            asked = {"action": "update", "billing_id": self._package(account, str(given.get("package")))["uuid"]}
        else:
            raise RestError(409, "InvalidArgument", f"{action} is not a valid action")
        with plain_refusals():
            self._dc.vmapi.actions.act(vm, {**asked, "context": audit.context(given)}, request_id)

    def delete(self, account: Account, machine_uuid: str, request_id: str) -> None:
        """Queue a machine's destruction. Raises 404, 409 when it is protected."""
        vm = self.vm(account, machine_uuid)
        if vm.get("indestructible_zoneroot"):
            raise RestError(409, "InvalidArgument", PROTECTED)
        self._dc.vmapi.actions.destroy(vm, {"context": audit.context({})}, request_id)

    def set_metadata(self, vm: Vm, kind: str, after: Shown, request_id: str, *, whole: bool) -> None:
        """Queue the change of a machine's tags or metadata; ``whole`` if those there were are replaced as a whole."""
        asked = {"context": audit.context({}, whole=whole)}
        with plain_refusals():
            self._dc.vmapi.actions.set_metadata(vm, kind, after, asked, request_id)

    def add_nic(self, vm: Vm, ref: Shown, request_id: str) -> Shown:
        """Make a nic in NAPI, where it is seen at once, and queue its way onto the VM. Raises what NAPI refuses."""
        made = self._dc.napi.provision_nic(
            ref["uuid"],
            owner_uuid=vm["owner_uuid"],
            belongs_to_uuid=vm["uuid"],
            cn_uuid=vm["server_uuid"],
            primary=ref["primary"],
            ip=ref.get("ip"),
        )
        try:
            self._dc.vmapi.actions.act(
                vm, {"action": "add_nics", "macs": [made["mac"]], "context": audit.context({})}, request_id
            )
        except RestError:
            self._dc.napi.nics.delete(made["mac"])
            raise
        return made

    def audit(self, account: Account, machine_uuid: str) -> list[Shown]:
        """What was done to a machine, newest first: ended jobs alone."""
        vm = self._dc.vmapi.vm(machine_uuid) if is_uuid(machine_uuid) else None
        if vm is None or vm["owner_uuid"] != account["uuid"] or is_storage(vm):
            raise not_found(f"{machine_uuid} does not exist")
        jobs = self._dc.wfapi.engine.find({"vm_uuid": vm["uuid"]}, AUDIT_LENGTH)
        return [audit.entry(job) for job in jobs if job["execution"] in ("succeeded", "failed", "canceled")]

    def _package(self, account: Account, name: str) -> Shown:
        for package in self._dc.papi.search({"active": True}):
            if name in (package["uuid"], package["name"]):
                if account["uuid"] in package.get("owner_uuids", [account["uuid"]]):
                    return package
                break
        raise RestError(409, "InvalidArgument", "package does not exist")

    def _networks(self, account: Account, given: Any) -> list[Any]:
        """The networks of a new machine: those asked for, if the account may use them, or its default. Raises 409."""
        if not given:
            return [self._default_network(account)]
        for one in given if isinstance(given, list) else [given]:
            name = (one.get("ipv4_uuid") or one.get("uuid")) if isinstance(one, dict) else one
            napi = self._dc.napi
            found = (napi.network(name) or napi.pool(name)) if isinstance(name, str) and is_uuid(name) else None
            if found is None or found["nic_tag"] == "admin" or not provisionable(found, account["uuid"]):
                raise RestError(409, "InvalidArgument", f"Invalid Networks: {name}")
        return given if isinstance(given, list) else [given]

    def _default_network(self, account: Account) -> str:
        default = account.get("default_network") or self._dc.napi.ensure_default_fabric(account["uuid"])["uuid"]
        return str(default)


_PASSED = {"name": "alias", "locality": "locality", "affinity": "affinity", "delegate_dataset": "delegate_dataset"}
_UNSUPPORTED = ("disks", "encrypted")


def prefixed(given: Mapping[str, Any], prefix: str) -> Shown:
    """The values of keys like ``tag.KEY``, by KEY."""
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Turn what VMAPI and NAPI refuse into CloudAPI's InvalidArgument, fields and all."""
    try:
        yield
    except RestError as error:
        if error.code in ("ValidationFailed", "InvalidParameters"):
            raise RestError(409, "InvalidArgument", error.message, error.errors) from error
        raise


@contextmanager
def network_refusals() -> Iterator[None]:
    """Turn whatever NAPI refuses but 404 into InvalidArgument, with the fields in the sentence."""
    try:
        yield
    except RestError as error:
        if error.status == 404:
            raise
        told = [
            f'property "{problem["field"]}": {problem["message"]}'
            if isinstance(problem.get("field"), str)
            else str(problem["message"])
            for problem in error.errors or ()
        ]
        raise RestError(409, "InvalidArgument", ", ".join(told) or error.message) from error
