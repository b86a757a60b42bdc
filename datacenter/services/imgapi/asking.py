"""What a request says of the image it means and of the account it is made for; query and body are kept apart here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from datacenter.restify import RestError, body, is_uuid, not_found, reply
from datacenter.services.imgapi.listing import visible_to
from datacenter.services.imgapi.manifest import Manifest, etag, view
from datacenter.services.imgapi.refusals import invalid, refuse

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi


def account() -> str | None:
    """The account that CloudAPI asks for; None for operators. Raises InvalidParameter."""
    given = request.args.get("account")
    if given and not is_uuid(given):
        raise invalid(f'invalid "account": not a UUID: "{given}"', "account")
    return given or None


def operators_only() -> None:
    if request.args.get("account"):
        raise refuse("OperatorOnly", "this endpoint may only be called by an operator")


def seen(imgapi: Imgapi, uuid: str) -> Manifest:
    """Find an image that the account, if one asks, may see. Raises 404."""
    if not is_uuid(uuid):
        raise not_found(f"{request.path} does not exist")
    image, who = imgapi.find(uuid), account()
    if who is not None and not visible_to(image, who):
        raise not_found("image not found")
    return image


def owned(imgapi: Imgapi, uuid: str) -> Manifest:
    """Find an image that the account, if one asks, owns. Raises 404, 422 NotImageOwner."""
    image, who = seen(imgapi, uuid), account()
    if who is not None and who != image["owner"]:
        raise refuse("NotImageOwner", f"account {who} is not the owner of image {uuid}")
    return image


def flag(name: str) -> bool:
    """A boolean of the query, false unless it is said. Raises InvalidParameter."""
    given = request.args.get(name, "false")
    if given not in ("true", "false"):
        raise invalid(f'invalid "{name}": "{given}" is not "true" or "false"', name)
    return given == "true"


def fields() -> dict[str, Any]:
    """The body. Raises InvalidContent when it is no JSON object."""
    given = body()
    if not isinstance(given, dict):
        raise RestError(400, "InvalidContent", "the body is not a JSON object")
    return given


def shown(image: Manifest, *, admin: bool = False) -> Response:
    return reply(view(image, admin=admin), etag=etag(image))
