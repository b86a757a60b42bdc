"""The customer's door: what an account owns or may use, read through the other services."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask

from datacenter.restify import RestError, is_uuid, not_found
from datacenter.services.cloudapi import changefeed, machines, routes
from datacenter.services.cloudapi.access import Access
from datacenter.services.cloudapi.networks import network_view
from datacenter.services.imgapi import listing
from datacenter.services.napi.networks import provisionable
from datacenter.services.volapi.storage import is_storage

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Account = dict[str, Any]
Shown = dict[str, Any]

_IMAGE_FIELDS = (
    "name version os type description requirements homepage eula owner acl origin public state tags published_at "
    "image_size error billing_tags"
)


class CloudApi:
    """CloudAPI's views of the data center: machines, images, packages, networks, configuration."""

    def __init__(self, dc: DataCenter) -> None:
        self.dc = dc
        self.access = Access(self)
        self.app: Flask = routes.make_app(self, self.access)

    def upgrade(self, environ: dict[str, Any], sock: socket.socket) -> None:
        """Serve the change feed of an account on a connection that asked for WebSocket."""
        changefeed.serve(self, environ, sock)

    def services(self, own_url: str) -> dict[str, str]:
        """Endpoints of the data center by service name; ``docker`` is the gateway."""
        services = {"cloudapi": own_url}
        if self.dc.settings.docker_url:
            services["docker"] = self.dc.settings.docker_url
        return services

    def config(self, account: Account) -> Shown:
        default = account.get("default_network")
        return {"default_network": default or self.dc.napi.ensure_default_fabric(account["uuid"])["uuid"]}

    def set_config(self, account: Account, changes: Mapping[str, Any]) -> Shown:
        """Choose the network of containers that name none: one of the account's fabrics. Raises 409."""
        network = self.dc.napi.network(str(changes.get("default_network")))
        if network is None or network.get("owner_uuid") != account["uuid"]:
            raise RestError(409, "InvalidArgument", "default_network is not a fabric network of the account")
        return self.config(self.dc.mahi.set_attributes(account["uuid"], default_network=network["uuid"]))

    def limits(self, account: Account) -> list[Any]:
        """The account's provision limits in this data center."""
        found: list[Any] = []
        for entry in account.get("limits", ()):
            if entry["datacenter"] == self.dc.settings.name:
                texts = entry["limit"]
                found.extend(msgspec.json.decode(text) for text in (texts if isinstance(texts, list) else [texts]))
        return found

    def packages(self, account: Account, filters: Mapping[str, str]) -> list[Shown]:
        usable = (package for package in self.dc.papi.search({"active": True}) if _owned(package, account["uuid"]))
        return [shown for shown in map(_package, usable) if _equal(shown, filters)]

    def package(self, account: Account, name: str) -> Shown:
        """One package, by uuid or name. Raises 404."""
        for package in self.packages(account, {}):
            if name in (package["id"], package["name"]):
                return package
        raise not_found(f"{name} does not exist")

    def networks(self, account: Account) -> list[Shown]:
        mine = {"provisionable_by": account["uuid"]}
        pools = self.dc.napi.pools.select(mine)
        pooled = {member for pool in pools for member in pool["networks"]}
        single = [network for network in self.dc.napi.networks(**mine) if network["uuid"] not in pooled]
        return [network_view(network) for network in pools + single if network["nic_tag"] != "admin"]

    def network(self, account: Account, network_uuid: str) -> Shown:
        """One network or pool the account may use. Raises 404."""
        network = self.dc.napi.network(network_uuid) or self.dc.napi.pool(network_uuid)
        if network is None or not provisionable(network, account["uuid"]):
            raise not_found(f"{network_uuid} does not exist")
        return network_view(network)

    def images(self, account: Account, filters: Mapping[str, str]) -> list[Shown]:
        query = {**filters, "account": account["uuid"]}
        found = listing.select(self.dc.imgapi.images.all(), query)
        return [_image(image) for image in found]

    def image(self, account: Account, image_uuid: str) -> Shown:
        """One image the account may use. Raises 404."""
        image = self.dc.imgapi.get(image_uuid) if is_uuid(image_uuid) else None
        if image is None or not listing.visible_to(image, account["uuid"]):
            raise not_found(f"{image_uuid} does not exist")
        return _image(image)

    def machines(self, account: Account, filters: Mapping[str, str]) -> list[Shown]:
        vms = [vm for vm in self.dc.vmapi.vms(owner_uuid=account["uuid"]) if not is_storage(vm)]
        alive = (vm for vm in vms if vm.get("state") not in ("destroyed", "failed") or filters.get("tombstone"))
        return [shown for shown in map(self.machine_view, alive) if machines.matches(shown, filters)]

    def machine(self, account: Account, machine_uuid: str) -> tuple[Shown, int]:
        """One machine, and the status it is answered with: 410 for one that is gone. Raises 404."""
        vm = self.dc.vmapi.vm(machine_uuid) if is_uuid(machine_uuid) else None
        if vm is None or vm["owner_uuid"] != account["uuid"] or is_storage(vm):
            raise not_found(f"{machine_uuid} does not exist")
        return self.machine_view(vm), 410 if vm.get("state") == "destroyed" else 200

    def machine_view(self, vm: dict[str, Any]) -> Shown:
        package = self.dc.papi.get(vm.get("billing_id", ""))
        return machines.machine(vm, package["name"] if package else None, self.dc.cns.names(vm))


def _owned(package: dict[str, Any], owner_uuid: str) -> bool:
    return owner_uuid in package.get("owner_uuids", [owner_uuid])


def _equal(shown: Shown, filters: Mapping[str, str]) -> bool:
    return all(str(shown.get(name)) == value for name, value in filters.items())


def _package(package: dict[str, Any]) -> Shown:
    shown = {
        "id": package["uuid"],
        "name": package["name"],
        "memory": package["max_physical_memory"],
        "disk": package["quota"],
        "swap": package["max_swap"],
        "vcpus": package.get("vcpus", 0),
        "lwps": package["max_lwps"],
        "default": package.get("default", False),
        "version": package["version"],
    }
    optional = ("group", "description", "brand", "flexible_disk", "disks")
    return shown | {name: package[name] for name in optional if name in package}


def _image(image: dict[str, Any]) -> Shown:
    fields = {name: image[name] for name in _IMAGE_FIELDS.split() if name in image}
    files = [
        {name: file[name] for name in ("compression", "sha1", "size") if name in file}
        for file in image.get("files", ())
    ]
    return {"id": image["uuid"], **fields, "files": files}
