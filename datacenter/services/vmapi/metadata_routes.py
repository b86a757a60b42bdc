"""VMAPI's routes for tags, customer_metadata and internal_metadata: every change is a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from datacenter.restify import RestError, body, params, reply, route_table
from datacenter.services.vmapi.routes import accepted_job, find
from datacenter.services.vmapi.validation import Problems, check_metadata

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi

Doc = dict[str, Any]

KIND = "<any(tags, customer_metadata, internal_metadata):kind>"


class MetadataRoutes:
    """The routes of this module, each a method."""

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi

    def blueprint(self) -> Blueprint:
        return route_table(
            "metadata",
            {
                f"GET /vms/<uuid>/{KIND}": self.list_metadata,
                f"GET /vms/<uuid>/{KIND}/<key>": self.get_metadata,
                f"POST /vms/<uuid>/{KIND}": self.add_metadata,
                f"PUT /vms/<uuid>/{KIND}": self.set_metadata,
                f"DELETE /vms/<uuid>/{KIND}": self.delete_all_metadata,
                f"DELETE /vms/<uuid>/{KIND}/<key>": self.delete_metadata,
            },
        )

    def _change(self, uuid: str, kind: str, after: Doc) -> Response:
        vm = find(self._vmapi, uuid, request.args.to_dict())
        job = self._vmapi.actions.set_metadata(vm, kind, after, {}, g.request_id)
        return accepted_job(self._dc, job, request.args.to_dict())

    def list_metadata(self, uuid: str, kind: str) -> Response:
        return reply(find(self._vmapi, uuid, params())[kind])

    def get_metadata(self, uuid: str, kind: str, key: str) -> Response:
        held = find(self._vmapi, uuid, params())[kind]
        if key not in held:
            raise RestError(404, "ResourceNotFound", "Metadata key not found")
        return reply(held[key])

    def add_metadata(self, uuid: str, kind: str) -> Response:
        """Merge the keys given into those there are."""
        added = _given(kind)
        return self._change(uuid, kind, {**find(self._vmapi, uuid, request.args.to_dict())[kind], **added})

    def set_metadata(self, uuid: str, kind: str) -> Response:
        """Replace all keys by those given."""
        return self._change(uuid, kind, _given(kind))

    def delete_all_metadata(self, uuid: str, kind: str) -> Response:
        return self._change(uuid, kind, {})

    def delete_metadata(self, uuid: str, kind: str, key: str) -> Response:
        held = find(self._vmapi, uuid, request.args.to_dict())[kind]
        if key not in held:
            raise RestError(404, "ResourceNotFound", "Metadata key not found")
        return self._change(uuid, kind, {name: value for name, value in held.items() if name != key})


def _given(kind: str) -> Doc:
    """The metadata in a request's body. Raises RestError ValidationFailed when there is none, or none that may be."""
    given = body()
    problems = Problems()
    if not given:
        problems.invalid(kind, f"At least one {kind} key must be provided")
    check_metadata(kind, given, problems)
    problems.check("Invalid Metadata parameters")
    assert isinstance(given, dict)
    return given
