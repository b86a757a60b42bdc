"""Migrations, as a VMAPI answers that has none: nothing moves from node to node here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from datacenter.restify import RestError, is_uuid, not_found, params, reply, route_table
from datacenter.services.vmapi.routes import find

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi

FIRST = frozenset({"begin", "automatic", "estimate"})
LATER = frozenset({"abort", "finalize", "pause", "rollback", "switch", "sync"})


class MigrationRoutes:
    """The routes of this module, each a method."""

    def __init__(self, vmapi: Vmapi) -> None:
        self._vmapi = vmapi

    def blueprint(self) -> Blueprint:
        return route_table(
            "migrations",
            {
                "GET /migrations": self.list_migrations,
                "GET /migrations/<uuid>": self.get_migration,
                "GET /migrations/<uuid>/watch": self.get_migration,
                "DELETE /migrations/<uuid>": self.get_migration,
            },
        )

    def list_migrations(self) -> Response:
        asked = params()
        for field in ("vm_uuid", "owner_uuid"):
            if asked.get(field) is not None and not is_uuid(asked[field]):
                errors = [{"field": field, "code": "Invalid", "message": "Invalid UUID"}]
                raise RestError(409, "ValidationFailed", "Invalid Parameters", errors)
        return reply([])

    def get_migration(self, uuid: str) -> Response:
        """No VM has a migration. Raises 404 for one of a VM, too, that is there."""
        find(self._vmapi, uuid, params())
        raise not_found("Migration not found")


def refusal(action: Any) -> RestError:
    """Why ``migrate`` can't be done: no such step, nothing under way that it could be a step of, or no migrations."""
    if action in LATER:
        return not_found("Migration not found")
    if action in FIRST:
        return RestError(501, "NotImplemented", "this data center does not move VMs from node to node")
    return RestError(409, "InvalidArgument", "Invalid migration action")
