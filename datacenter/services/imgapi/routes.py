"""IMGAPI's HTTP side. Facts: IMGAPI 4.13.1 as captured; sdc-apis 6.1; its own routes and sentences."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from datacenter.restify import RestError, body, is_uuid, not_found, reply, service
from datacenter.services.imgapi import docker_routes, file_routes
from datacenter.services.imgapi.asking import account, fields, flag, operators_only, owned, seen, shown
from datacenter.services.imgapi.listing import select
from datacenter.services.imgapi.manifest import etag, view
from datacenter.services.imgapi.refusals import STATUSES, invalid, invalid_data, refuse

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

VERSION = "4.13.1"

_Action = Callable[["Imgapi", str], Response]


def make_app(imgapi: Imgapi) -> Flask:
    app = service("imgapi", f"imgapi/{VERSION}")
    _add_service_routes(app)

    @app.get("/images")
    def list_images() -> Response:
        account()
        admin = flag("inclAdminFields")
        return reply([view(image, admin=admin) for image in select(imgapi.images.all(), request.args)])

    @app.post("/images")
    def create_image() -> Response:
        return _create(imgapi)

    @app.get("/images/<uuid>")
    def get_image(uuid: str) -> Response:
        image = seen(imgapi, uuid)
        if etag(image) in request.if_none_match:
            return reply(None, 304, etag=etag(image))
        return shown(image, admin=flag("inclAdminFields"))

    @app.post("/images/<uuid>")
    def act(uuid: str) -> Response:
        return _act(imgapi, uuid)

    @app.delete("/images/<uuid>")
    def delete_image(uuid: str) -> Response:
        imgapi.delete(owned(imgapi, uuid)["uuid"])
        return reply(None, 204)

    @app.get("/images/<uuid>/jobs")
    def list_jobs(uuid: str) -> Response:
        """There are none: no work on images outlives its request here."""
        seen(imgapi, uuid)
        return reply([])

    _add_sharing_routes(app, imgapi)
    for rule, methods in _BESIDE.items():
        for method, view_of in methods.items():
            app.add_url_rule(rule, f"{method} {rule}", _bound(view_of, imgapi), methods=[method])
    return app


def _bound(view_of: _Action, imgapi: Imgapi) -> Callable[[str], Response]:
    return lambda uuid: view_of(imgapi, uuid)


def _from_url(imgapi: Imgapi, uuid: str) -> Response:
    """Fetching from any URL would turn the data center's own network upside down."""
    owned(imgapi, uuid)
    raise refuse("NotImplemented", "adding a file from a URL is not supported: upload it")


_BESIDE: dict[str, dict[str, _Action]] = {
    "/images/<uuid>/push": {"POST": docker_routes.push_docker_image},
    "/images/<uuid>/file": {"PUT": file_routes.add_file, "GET": file_routes.get_file},
    "/images/<uuid>/file/from-url": {"POST": _from_url},
    "/images/<uuid>/icon": {
        "PUT": file_routes.add_icon,
        "GET": file_routes.get_icon,
        "DELETE": file_routes.delete_icon,
    },
}


def _add_service_routes(app: Flask) -> None:
    @app.get("/ping")
    def ping() -> Response:
        if "error" in request.args:
            raise _sample(request.args["error"] or "InternalError")
        return reply({"ping": "pong", "version": VERSION, "imgapi": True, "pid": os.getpid()})

    @app.get("/state")
    def state() -> Response:
        """What the real one has here are caches; this one needs none."""
        return reply({"cache": {}})

    @app.post("/state")
    def change_state() -> Response:
        action = request.args.get("action")
        if not action:
            raise RestError(409, "MissingParameter", '"action" is required')
        if action != "dropcaches":
            raise RestError(409, "InvalidArgument", f'"{action}" is not a valid action')
        return reply(None, 202)


def _sample(name: str) -> RestError:
    """The refusal that a tester asks for by its name, with or without ``Error``."""
    code = next((known for known in STATUSES if name in (known, f"{known}Error", known.removesuffix("Error"))), None)
    return refuse(code, "boom") if code else invalid(f"unknown error: {name}", "error", "Missing")


def _add_sharing_routes(app: Flask, imgapi: Imgapi) -> None:
    @app.post("/images/<uuid>/acl")
    def change_acl(uuid: str) -> Response:
        image = owned(imgapi, uuid)
        action = request.args.get("action") or "add"
        if action not in ("add", "remove"):
            raise invalid(f'"{action}" is not a valid action', "action")
        return shown(imgapi.share(image["uuid"], **{action: _accounts()}))

    @app.post("/images/<uuid>/clone")
    def clone(uuid: str) -> Response:
        image, who = seen(imgapi, uuid), account()
        if who is None:
            raise invalid('invalid "account": not a UUID: "undefined"', "account")
        return shown(imgapi.clone(image["uuid"], who))


def _accounts() -> list[str]:
    given = body()
    if not isinstance(given, list):
        raise invalid('invalid image "acl" (not an array)', "acl")
    for number, uuid in enumerate(given):
        if not is_uuid(uuid):
            raise invalid(f'invalid image "acl" (item {number} is not a UUID): {uuid}', "acl")
    return given


def _create(imgapi: Imgapi) -> Response:
    action = request.args.get("action")
    if action == "import-docker-image":
        return docker_routes.import_docker_image(imgapi)
    if action == "create-from-vm":
        raise refuse("NotAvailable", "custom image creation is not currently available")
    if action == "import-lxd-image":
        raise refuse("NotImplemented", "LXD images are not supported")
    if action is not None:
        raise invalid(f'"{action}" is not a valid action', "action")
    return shown(imgapi.create(_with_owner(fields())))


def _with_owner(given: dict[str, Any]) -> dict[str, Any]:
    """An account makes images of its own alone."""
    who = account()
    if who is None:
        return given
    owner = given.get("owner") or who
    if owner != who:
        raise invalid(f'invalid owner: given owner, "{owner}", does not match account, "{who}"', "owner")
    return {**given, "owner": owner}


def _act(imgapi: Imgapi, uuid: str) -> Response:
    action = request.args.get("action")
    if not is_uuid(uuid):
        raise not_found(f"{request.path} does not exist")
    if action in ("import", "import-remote", "import-from-datacenter"):
        return _import(imgapi, uuid, action)
    image = owned(imgapi, uuid)
    if not action:
        raise invalid('no image "action" was specified', "action", "MissingParameter")
    if action not in _ACTIONS:
        raise invalid(f'"{action}" is not a valid action', "action")
    return _ACTIONS[action](imgapi, image["uuid"])


def _import(imgapi: Imgapi, uuid: str, action: str) -> Response:
    if action != "import" or "source" in request.args:
        operators_only()
        raise refuse("NotImplemented", "importing from another IMGAPI is not supported: import the manifest and file")
    operators_only()
    skip = flag("skip_owner_check")
    return shown(imgapi.admin_import(uuid, fields(), skip_owner_check=skip))


def _export(_imgapi: Imgapi, _uuid: str) -> Response:
    """Images are exported to Manta, and there is none: as of a data center that has none."""
    if "manta_path" not in request.args:
        raise invalid_data("missing 'manta_path' prefix parameter", ["manta_path"], "MissingParameter")
    raise refuse("StorageUnsupported", "storage type is unsupported")


def _update(imgapi: Imgapi, uuid: str) -> Response:
    given = fields()
    kept = [field for field in ("billing_tags", "traits", "files", "origin", "uuid", "owner") if field in given]
    if account() is not None and kept:
        message = f"invalid image update data: {', '.join(kept)}"
        raise invalid_data(message, kept, "NotAllowed", "Can only be updated by operators")
    return shown(imgapi.update(uuid, given))


_ACTIONS: dict[str, _Action] = {
    "activate": lambda imgapi, uuid: shown(imgapi.activate(uuid)),
    "enable": lambda imgapi, uuid: shown(imgapi.enable(uuid, disabled=False)),
    "disable": lambda imgapi, uuid: shown(imgapi.enable(uuid, disabled=True)),
    "update": _update,
    "export": _export,
}
