"""VMAPI's routes for tags, customer_metadata and internal_metadata: every change is a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from datacenter.restify import RestError, body, params, reply
from datacenter.services.vmapi.routes import accepted_job, find
from datacenter.services.vmapi.validation import Problems, check_metadata

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi

Doc = dict[str, Any]

KIND = "<any(tags, customer_metadata, internal_metadata):kind>"


def metadata_routes(dc: DataCenter, vmapi: Vmapi) -> Blueprint:
    routes = Blueprint("metadata", __name__)

    def change(uuid: str, kind: str, after: Doc) -> Response:
        vm = find(vmapi, uuid, request.args.to_dict())
        job = vmapi.actions.set_metadata(vm, kind, after, {}, g.request_id)
        return accepted_job(dc, job, request.args.to_dict())

    @routes.get(f"/vms/<uuid>/{KIND}")
    def list_metadata(uuid: str, kind: str) -> Response:
        return reply(find(vmapi, uuid, params())[kind])

    @routes.get(f"/vms/<uuid>/{KIND}/<key>")
    def get_metadata(uuid: str, kind: str, key: str) -> Response:
        held = find(vmapi, uuid, params())[kind]
        if key not in held:
            raise RestError(404, "ResourceNotFound", f"{kind} key {key} not found")
        return reply(held[key])

    @routes.post(f"/vms/<uuid>/{KIND}")
    def add_metadata(uuid: str, kind: str) -> Response:
        """Merge the keys given into those there are."""
        added = _given(kind)
        return change(uuid, kind, {**find(vmapi, uuid, request.args.to_dict())[kind], **added})

    @routes.put(f"/vms/<uuid>/{KIND}")
    def set_metadata(uuid: str, kind: str) -> Response:
        """Replace all keys by those given."""
        return change(uuid, kind, _given(kind))

    @routes.delete(f"/vms/<uuid>/{KIND}")
    def delete_all_metadata(uuid: str, kind: str) -> Response:
        return change(uuid, kind, {})

    @routes.delete(f"/vms/<uuid>/{KIND}/<key>")
    def delete_metadata(uuid: str, kind: str, key: str) -> Response:
        held = find(vmapi, uuid, request.args.to_dict())[kind]
        if key not in held:
            raise RestError(404, "ResourceNotFound", f"{kind} key {key} not found")
        return change(uuid, kind, {name: value for name, value in held.items() if name != key})

    return routes


def _given(kind: str) -> Doc:
    """The metadata in a request's body. Raises RestError ValidationFailed when there is none, or none that may be."""
    given = body()
    problems = Problems()
    if not given:
        problems.missing(kind)
    check_metadata(kind, given, problems)
    problems.check("Invalid metadata")
    assert isinstance(given, dict)
    return given
