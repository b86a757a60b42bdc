"""CloudAPI's routes to packages and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Response, request

from datacenter.restify import RestError, reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.paging import page

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

_PACKAGE_FILTERS = frozenset(
    ("name", "memory", "disk", "swap", "lwps", "vcpus", "version", "group", "brand", "flexible_disk")
)
_IMAGE_FILTERS = frozenset(("name", "version", "os", "public", "state", "owner", "type"))
_IMAGE_CHANGES = frozenset(("name", "version", "description", "homepage", "eula", "acl", "tags"))

_UNSUPPORTED = {
    "clone": "images cannot be copied to another owner in this data center",
    "export": "there is no object store in this data center to export images to",
    "import-from-datacenter": "there is no other data center to import images from",
}


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    imgapi = cloudapi.dc.imgapi

    def create(_account: Account) -> Response:
        told = _UNSUPPORTED.get(request.args.get("action", ""), "this data center does not make images of instances")
        raise RestError(501, "NotImplemented", told)

    def act(account: Account, uuid: str) -> Response:
        shown, given = cloudapi.image(account, uuid), asked()
        action = given.pop("action", None)
        if action in _UNSUPPORTED:
            raise RestError(501, "NotImplemented", _UNSUPPORTED[action])
        if action != "update":
            raise RestError(409, "InvalidArgument", f"{action} is not a valid action")
        _check_owner(account, shown)
        foreign = sorted(given.keys() - _IMAGE_CHANGES)
        if foreign:
            raise RestError(409, "InvalidArgument", f"cannot be changed: {', '.join(foreign)}")
        try:
            imgapi.update(uuid, given)
        except RestError as error:
            raise RestError(409, "InvalidArgument", error.message, error.errors) from error
        return reply(cloudapi.image(account, uuid))

    def delete(account: Account, uuid: str) -> Response:
        _check_owner(account, cloudapi.image(account, uuid))
        imgapi.delete(uuid)
        return reply(None, 204)

    route("/packages", lambda account: page(cloudapi.packages(account, _filters(_PACKAGE_FILTERS))))
    route("/packages/<name>", lambda account, name: reply(cloudapi.package(account, name)))
    route("/images", lambda account: page(cloudapi.images(account, _filters(_IMAGE_FILTERS))))
    route("/images", create, "POST")
    route("/images/<uuid>", lambda account, uuid: reply(cloudapi.image(account, uuid)))
    route("/images/<uuid>", act, "POST")
    route("/images/<uuid>", delete, "DELETE")


def _check_owner(account: Account, image: dict[str, object]) -> None:
    if image.get("owner") != account["uuid"]:
        raise RestError(403, "NotAuthorized", f"{account['login']} is not the owner of image {image['id']}")


def _filters(allowed: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name in allowed}
