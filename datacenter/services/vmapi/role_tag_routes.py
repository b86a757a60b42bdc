"""VMAPI's routes for role tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from datacenter.restify import not_found, params, reply, route_table
from datacenter.services.vmapi.role_tags import read_role_tags
from datacenter.services.vmapi.routes import find

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi

MESSAGE = "Invalid Role Tags"


class RoleTagRoutes:
    """The routes of this module, each a method."""

    def __init__(self, vmapi: Vmapi) -> None:
        self._vmapi = vmapi
        self._tags = vmapi.role_tags

    def blueprint(self) -> Blueprint:
        return route_table(
            "role_tags",
            {
                "GET /vms/<uuid>/role_tags": self.list_tags,
                "POST /vms/<uuid>/role_tags": self.add_tags,
                "PUT /vms/<uuid>/role_tags": self.set_tags,
                "DELETE /vms/<uuid>/role_tags": self.delete_all_tags,
                "DELETE /vms/<uuid>/role_tags/<role_tag>": self.delete_tag,
            },
        )

    def _vm(self, uuid: str) -> str:
        return str(find(self._vmapi, uuid, params())["uuid"])

    def list_tags(self, uuid: str) -> Response:
        return reply(self._tags.of(self._vm(uuid)))

    def add_tags(self, uuid: str) -> Response:
        vm_uuid = self._vm(uuid)
        return reply(self._tags.put(vm_uuid, self._tags.of(vm_uuid) + read_role_tags(params(), MESSAGE)))

    def set_tags(self, uuid: str) -> Response:
        return reply(self._tags.put(self._vm(uuid), read_role_tags(params(), MESSAGE)))

    def delete_tag(self, uuid: str, role_tag: str) -> Response:
        vm_uuid = self._vm(uuid)
        held = self._tags.of(vm_uuid)
        if role_tag not in held:
            raise not_found("Role Tag not found")
        return reply(self._tags.put(vm_uuid, [tag for tag in held if tag != role_tag]))

    def delete_all_tags(self, uuid: str) -> Response:
        self._tags.forget(self._vm(uuid))
        return reply()
