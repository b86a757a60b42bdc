"""VOLAPI's HTTP side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from datacenter.restify import RestError, params, reply, service
from datacenter.services.cloudapi import versions
from datacenter.services.volapi import errors, storage, validation
from datacenter.services.volapi.validation import Causes

if TYPE_CHECKING:
    from datacenter.services.volapi.model import Volapi, Volume

OFFERED = ("1.0.0",)
_RESERVATION = ("owner_uuid", "volume_name", "vm_uuid", "job_uuid")


def make_app(volapi: Volapi) -> Flask:
    app = service("volapi", "VOLAPI")
    app.before_request(_check_version)

    @app.get("/ping")
    def ping() -> Response:
        return reply({"pid": os.getpid(), "status": "OK", "healthy": True})

    _volume_routes(app, volapi)
    _reference_routes(app, volapi)
    _reservation_routes(app, volapi)
    return app


def _check_version() -> None:
    wanted = request.headers.get("Accept-Version") or "*"
    if versions.choose(wanted, OFFERED) is None:
        raise RestError(400, "InvalidVersion", f"{wanted} is not supported by {request.method} {request.path}")


def _volume_routes(app: Flask, volapi: Volapi) -> None:
    @app.get("/volumes")
    def list_volumes() -> Response:
        return reply([volapi.view(volume) for volume in volapi.select(params())])

    @app.post("/volumes")
    def create_volume() -> Response:
        if storage.image(volapi.dc) is None:
            raise errors.ImageMissing
        return reply(volapi.view(volapi.create(params(), g.request_id)), 201)

    @app.get("/volumesizes")
    def list_sizes() -> Response:
        asked, causes = params(), Causes()
        causes.expect(asked, known=("type",))
        if "type" in asked:
            causes.add(*validation.volume_type(asked["type"]))
        causes.check()
        return reply([{"size": size, "type": validation.TYPE} for size in volapi.sizes()])

    @app.get("/volumes/<uuid>")
    def get_volume(**_: str) -> Response:
        return reply(volapi.view(_find(volapi, _checked())))

    @app.post("/volumes/<uuid>")
    def update_volume(**_: str) -> Response:
        """Rename a volume; nothing else about it can be changed."""
        asked = _checked("name", named="name")
        volume = _find(volapi, asked)
        if "name" in asked:
            volapi.rename(volume, asked["name"])
        return reply(None, 204)

    @app.delete("/volumes/<uuid>")
    def delete_volume(**_: str) -> Response:
        asked = _checked("force")
        force = asked.get("force", "false")
        if force not in {"true", "false", True, False}:
            causes = Causes()
            causes.add(f"{validation.shown(force)} is not a valid boolean string value for force.")
            causes.check()
        volapi.delete(_find(volapi, asked), g.request_id, force=force in {"true", True})
        return reply(None, 204)


def _reference_routes(app: Flask, volapi: Volapi) -> None:
    @app.get("/volumes/<uuid>/references")
    def list_references(**_: str) -> Response:
        return reply(_find(volapi, _checked()).get("refs", []))

    @app.post("/volumes/<uuid>/addreference")
    def add_reference(**_: str) -> Response:
        asked = _checked("vm_uuid", needed=("owner_uuid", "vm_uuid"))
        volapi.refer(_find(volapi, asked)["uuid"], asked["vm_uuid"])
        return reply(None, 204)

    @app.post("/volumes/<uuid>/removereference")
    def remove_reference(**_: str) -> Response:
        asked = _checked("vm_uuid", needed=("owner_uuid", "vm_uuid"))
        volapi.unrefer(_find(volapi, asked)["uuid"], asked["vm_uuid"])
        return reply(None, 204)


def _reservation_routes(app: Flask, volapi: Volapi) -> None:
    @app.get("/volumereservations")
    def list_reservations() -> Response:
        return reply(volapi.reservations.all())

    @app.get("/volumereservations/<uuid>")
    def get_reservation(**_: str) -> Response:
        return reply(volapi.reservations.get(_checked()["uuid"]))

    @app.post("/volumereservations")
    def add_reservation() -> Response:
        asked, causes = params(), Causes()
        causes.expect(asked, known=_RESERVATION, needed=_RESERVATION)
        causes.uuids(asked, "owner_uuid", "vm_uuid", "job_uuid")
        if "volume_name" in asked:
            causes.add(*validation.volume_name(asked["volume_name"]))
        causes.check()
        return reply(volapi.needs.reserve_one(*(asked[field] for field in _RESERVATION)), 201)

    @app.delete("/volumereservations/<uuid>")
    def remove_reservation(**_: str) -> Response:
        asked = _checked(needed=("owner_uuid",))
        reservation = volapi.reservations.get(asked["uuid"])
        if reservation["owner_uuid"] != asked["owner_uuid"]:
            raise errors.reservation_not_found(asked["uuid"])
        volapi.needs.cancel(reservation)
        return reply(None, 204)


def _checked(*more: str, needed: tuple[str, ...] = (), named: str | None = None) -> dict[str, Any]:
    """The parameters of a request about one thing: its uuid, its owner, and ``more``. Raises ValidationError."""
    asked, causes = params(), Causes()
    causes.expect(asked, known=("uuid", "owner_uuid", *more), needed=needed)
    causes.uuids(asked, "uuid", "owner_uuid", "vm_uuid")
    if named is not None and named in asked:
        causes.add(*validation.volume_name(asked[named]))
    causes.check()
    return asked


def _find(volapi: Volapi, asked: dict[str, Any]) -> Volume:
    return volapi.get(asked["uuid"], asked.get("owner_uuid"))
