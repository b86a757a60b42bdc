"""PAPI's HTTP side. Facts: PAPI 7.2.5 as captured; its headers carry the object's uuid as request id."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import RestError, full_response, is_uuid, not_found, params, reply, service, truthy
from datacenter.services.papi import schema

if TYPE_CHECKING:
    from datacenter.services.papi.model import Package, Papi

VERSION = "7.2.5"
MAX_LIMIT = 1000

_CONTROL = ("filter", "sort", "order", "limit", "offset", "skip_validation", "force")


def make_app(papi: Papi) -> Flask:
    app = service("papi", f"SDC Package API {VERSION}")
    app.after_request(_headers)

    @app.get("/ping")
    def ping() -> Response:
        return reply({"pid": os.getpid(), "backend": "up"})

    @app.route("/packages", methods=["GET", "HEAD"])
    def list_packages() -> Response:
        bag = params()
        bag |= {key: values for key, values in request.args.lists() if len(values) > 1}
        terms = {key: value for key, value in bag.items() if key in schema.ATTRIBUTES}
        if not bag.get("filter") and terms.keys() and terms.keys() <= schema.OBJECTS:
            return reply(None, 404)
        found, count = _page(papi, bag, terms)
        return reply(found, x_resource_count=str(count))

    @app.post("/packages")
    def create_package() -> Response:
        package = papi.create(_attributes(params()))
        return reply(package, 201, Location=f"/packages/{package['uuid']}", request_id=package["uuid"])

    @app.get("/packages/<uuid>")
    def get_package(uuid: str) -> Response:
        return reply(_visible(papi, uuid))

    @app.put("/packages/<uuid>")
    def update_package(uuid: str) -> Response:
        bag = params()
        package = papi.update(_find(papi, uuid), _attributes(bag), force=truthy(bag.get("force")))
        return reply(package)

    @app.delete("/packages/<uuid>")
    def delete_package(uuid: str) -> Response:
        _find(papi, uuid)
        if not truthy(request.args.get("force")):
            raise RestError(405, "BadMethod", "Packages cannot be deleted")
        papi.delete(uuid)
        return reply(None, 204)

    return app


def _headers(response: Response) -> Response:
    response.headers["Api-Version"] = VERSION
    return full_response(response)


def _page(papi: Papi, bag: dict[str, Any], terms: dict[str, Any]) -> tuple[list[Package], int]:
    """The packages asked for: by a filter alone if there is one, else by attributes; what is none is not looked at."""
    text = str(bag.get("filter") or "")
    found = papi.search({} if text else terms, text)
    count = len(found)
    sort = bag.get("sort")
    if sort is not None:
        descending = str(bag.get("order", "ASC")).upper() == "DESC"
        found.sort(key=lambda package: _rank(package.get(str(sort))), reverse=descending)
    offset, limit = _number(bag, "offset", 0), min(_number(bag, "limit", 0) or MAX_LIMIT, MAX_LIMIT)
    return found[offset : offset + limit], count


def _rank(value: Any) -> tuple[bool, bool, Any]:
    """Order of mixed values: numbers, then texts, then what is absent."""
    number = isinstance(value, int | float)
    return value is None, not number, value if number else str(value)


def _number(bag: dict[str, Any], field: str, default: int) -> int:
    text = str(bag.get(field, default))
    if not text.isdecimal():
        error = {"field": field, "code": "Invalid", "message": "must be a number"}
        raise RestError(409, "InvalidArgument", f"{field} is invalid", [error])
    return int(text)


def _attributes(bag: dict[str, Any]) -> dict[str, Any]:
    if truthy(bag.get("skip_validation")):
        error = {"field": "skip_validation", "code": "Invalid", "message": "every package here is a valid one"}
        raise RestError(409, "InvalidArgument", "skip_validation is not supported", [error])
    return {field: schema.read(field, value) for field, value in bag.items() if field not in _CONTROL}


def _find(papi: Papi, uuid: str) -> Package:
    package = papi.get(uuid) if is_uuid(uuid) else None
    if package is None:
        raise not_found(f"Package {uuid} does not exist")
    return package


def _visible(papi: Papi, uuid: str) -> Package:
    package = _find(papi, uuid)
    text = request.args.get("owner_uuids")
    if text is None or "owner_uuids" not in package:
        return package
    try:
        asked = json.loads(text)
    except ValueError:
        asked = text
    owners = asked if isinstance(asked, list) else [text]
    if not any(owner in package["owner_uuids"] for owner in owners):
        raise not_found(f"Package {uuid} does not exist")
    return package
