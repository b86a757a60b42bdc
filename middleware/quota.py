"""Hold accounts to their provision limits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.call import Call, Reply
from gateway.errors import QuotaExceeded
from middleware.base import Middleware, Options
from middleware.limits import Limit, Machine, account_limits, merge, passed, weighed

HELD = "quota.held"
MESSAGE = "Quota exceeded; to have your limits raised please contact Support"
_IMAGE_FILTERS = {"image": "name", "os": "os"}


class QuotaOptions(Options, frozen=True):
    defaults: Annotated[tuple[Limit, ...], Meta(description="Limits of accounts whose tenant has none of its own")] = ()
    tenants: Annotated[dict[str, tuple[Limit, ...]], Meta(description="Limits by the account's tenant category")] = (
        msgspec.field(default_factory=dict)
    )
    hold_seconds: Annotated[
        float, Meta(gt=0, description="How long what a create will use is held when the gateway dies in it")
    ] = 600.0


class Quota(Middleware):
    """Refuse a container that would pass a limit of its account; operators have no limits.

    The account's own limits (for this data center) come first, then those of its tenant category, or the
    defaults. Every active VM of the account counts, those still being provisioned too. What this create will
    use is reserved before the VMs are listed, and creates that reserved earlier count as well until VMAPI
    lists their VM: however many race, in however many workers, the limit is not passed. An update that changes the
    package counts as the VM it makes of the old one.

    ``call.hints["quota.held"]`` is the uuid of the VM that a reservation is held for.

    Docker: POST /containers/create   SDC: VMAPI GET /vms?state=active, IMGAPI GET /images
    """

    name = "quota"
    runs_on = ("container.create", "container.update", "image.build")
    Options = QuotaOptions
    options: QuotaOptions

    def provision(self, call: Call, payload: dict[str, Any]) -> None:
        account = call.owner
        if account.operator:
            return
        configured = self.options.tenants.get(account.tenant or "", self.options.defaults)
        limits = merge(account_limits(account.limits, call.config.datacenter_name), configured)
        if not limits:
            return
        new = _new_machine(call, payload, limits)
        limits = [limit for limit in limits if new.matches(limit)]
        if not limits:
            return
        earlier = self._reserve(call, new)
        used = [machine for machine in self._machines(call, limits, earlier) if machine.uuid != new.uuid]
        if call.explains:
            call.explanation["Quota"] = list(weighed(limits, new, used))
        reasons = list(passed(limits, new, used))
        if reasons:
            raise QuotaExceeded(f"{MESSAGE} ({'; '.join(reasons)})")

    def after(self, call: Call, reply: Reply) -> None:  # noqa: ARG002 - the moment's signature
        """Give the reservation back: the VM is made, so VMAPI lists it from now on."""
        if HELD in call.hints:
            call.state.reservations.release(call.hints.pop(HELD))

    def _reserve(self, call: Call, new: Machine) -> list[Machine]:
        """Hold what the VM will use until the create has ended; return what is held for earlier ones."""
        reservations = call.state.reservations
        call.hints[HELD] = new.uuid
        call.undo.append(lambda: reservations.release(new.uuid))
        earlier = reservations.reserve(
            call.owner.uuid,
            new.uuid,
            ram=new.ram,
            disk=new.disk,
            attributes={"brand": new.brand, "image_uuid": new.image_uuid, "image": sorted(new.image), "os": new.os},
            seconds=self.options.hold_seconds,
        )
        return [
            Machine(
                uuid=held.vm_uuid,
                ram=held.ram,
                disk=held.disk,
                brand=held.attributes["brand"],
                image_uuid=held.attributes["image_uuid"],
                image=frozenset(held.attributes["image"]),
                os=held.attributes["os"],
            )
            for held in earlier
        ]

    def _machines(self, call: Call, limits: list[Limit], earlier: Iterable[Machine]) -> list[Machine]:
        """List the account's VMs, and those that earlier creates are still making and VMAPI does not list yet."""
        checked = [limit for limit in limits if not limit.unconditional]
        by_image = any(limit.check in _IMAGE_FILTERS for limit in checked)
        vms = call.services.vmapi.list_vms(
            owner_uuid=call.owner.uuid,
            state="active",
            fields=None if by_image else "brand,quota,ram,uuid",  # VMAPI refuses to list image_uuid by name
        )
        manifests: dict[str, dict[str, Any]] = {}
        for limit in checked:
            if limit.check in _IMAGE_FILTERS:
                found = call.services.imgapi.list_images(state="all", **{_IMAGE_FILTERS[limit.check]: limit.wanted})
                manifests.update((image["uuid"], image) for image in found)
        machines = [_listed(vm, manifests.get(vm.get("image_uuid", ""), {})) for vm in vms]
        known = {machine.uuid for machine in machines}
        return machines + [machine for machine in earlier if machine.uuid not in known]


def _new_machine(call: Call, payload: dict[str, Any], limits: list[Limit]) -> Machine:
    package = call.hints.get("package") or call.services.papi.get_package(payload["billing_id"])
    image_uuid = payload.get("image_uuid")
    manifest: dict[str, Any] = {}
    if image_uuid and any(limit.check in ("image", "os") and not limit.unconditional for limit in limits):
        manifest = call.services.imgapi.get_image(image_uuid)
    docker_name = payload.get("internal_metadata", {}).get("docker:imagename")
    return Machine(
        uuid=payload["uuid"],
        ram=package["max_physical_memory"],
        disk=package.get("quota", 0) / 1024,
        brand=payload.get("brand"),
        image_uuid=image_uuid,
        image=_image_names(image_uuid, manifest, docker_name),
        os=manifest.get("os"),
    )


def _listed(vm: dict[str, Any], manifest: dict[str, Any]) -> Machine:
    """A VM of VMAPI's: ``ram`` in MiB, ``quota`` in GiB."""
    docker_name = (vm.get("internal_metadata") or {}).get("docker:imagename")
    return Machine(
        uuid=vm["uuid"],
        ram=vm.get("ram") or 0,
        disk=vm.get("quota") or 0,
        brand=vm.get("brand"),
        image_uuid=vm.get("image_uuid"),
        image=_image_names(vm.get("image_uuid"), manifest, docker_name),
        os=manifest.get("os"),
    )


def _image_names(uuid: str | None, manifest: dict[str, Any], docker_name: str | None) -> frozenset[str]:
    """Limits may name an image by its uuid, by its name in IMGAPI, or by the repository a container was made from."""
    repository = ""
    if docker_name:
        head, slash, tail = docker_name.partition("@")[0].rpartition("/")
        repository = head + slash + tail.partition(":")[0]
    return frozenset(name for name in (uuid, manifest.get("name"), repository) if name)
