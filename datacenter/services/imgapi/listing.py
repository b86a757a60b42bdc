"""Which images a list asks for, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from werkzeug.datastructures import MultiDict

from datacenter.clock import epoch
from datacenter.restify import is_uuid, not_found
from datacenter.services.imgapi.manifest import Manifest
from datacenter.services.imgapi.refusals import invalid

MAX_LIMIT = 1000
SORT = "published_at"
_STATES = ("active", "disabled", "unactivated", "creating", "failed", "all")
_PLAIN = ("owner", "version", "os")


def select(images: Iterable[Manifest], query: Mapping[str, str]) -> list[Manifest]:
    """Filter, sort and page images by a list's query. Raises InvalidParameter for what can't be read."""
    state = query.get("state", "active")
    if state not in _STATES:
        raise invalid(f'invalid state: "{state}"', "state")
    found = [image for image in images if _state_fits(image, state) and _fits(image, query)]
    found.sort(key=lambda image: str(image.get("published_at", "")), reverse=_descends(query.get("sort", SORT)))
    return _page(found, query)


def visible_to(image: Manifest, account: str) -> bool:
    """Whether an account may see an image: its own, and of others' those that were activated and are public or
    shared with it.
    """
    if image["owner"] == account:
        return True
    return image["state"] in ("active", "disabled") and (bool(image.get("public")) or account in image.get("acl", ()))


def _state_fits(image: Manifest, wanted: str) -> bool:
    return wanted == "all" or image["state"] == wanted


def _fits(image: Manifest, query: Mapping[str, str]) -> bool:
    account = query.get("account")
    if account is not None and not visible_to(image, account):
        return False
    if any(key in query and image.get(key) != query[key] for key in _PLAIN):
        return False
    if "public" in query and image.get("public", False) != (query["public"] == "true"):
        return False
    if "name" in query and not _name_fits(image["name"], query["name"]):
        return False
    if "type" in query and not _type_fits(image["type"], query["type"]):
        return False
    if not _all_of(query, "billing_tag") <= set(image.get("billing_tags", ())):
        return False
    tags = image.get("tags") or {}
    wanted = {key[4:]: value for key, value in query.items() if key.startswith("tag.")}
    return all(_tag_text(tags.get(key)) == value for key, value in wanted.items())


def _all_of(query: Mapping[str, str], key: str) -> set[str]:
    """Every value that a query gives to a key."""
    values = query.getlist(key) if isinstance(query, MultiDict) else [query[key]] if key in query else []
    return set(values)


def _name_fits(name: str, wanted: str) -> bool:
    return wanted[1:] in name if wanted.startswith("~") else name == wanted


def _type_fits(kind: str, wanted: str) -> bool:
    return kind != wanted[1:] if wanted.startswith("!") else kind == wanted


def _tag_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _descends(text: str) -> bool:
    key, _, order = text.partition(".")
    if key != "published_at" or order.lower() not in ("", "asc", "desc"):
        raise invalid(f"invalid 'sort': not a valid sorting attribute: '{key}'", "sort")
    return order.lower() == "desc"


def _page(found: list[Manifest], query: Mapping[str, str]) -> list[Manifest]:
    limit = query.get("limit", str(MAX_LIMIT))
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        raise invalid(f'invalid limit: "{limit}"', "limit", why=f"must be an integer from 1 to {MAX_LIMIT}")
    marker = query.get("marker")
    if marker is not None:
        found = _from(found, marker)
    return found[: int(limit)]


def _from(found: list[Manifest], marker: str) -> list[Manifest]:
    """Keep what is published at the marker or after: an image's uuid, or an ISO date."""
    if is_uuid(marker):
        start = next((image.get("published_at", "") for image in found if image["uuid"] == marker), None)
        if start is None:
            raise not_found(f"image {marker} not found")
    else:
        start = marker
    try:
        begin = epoch(start)
    except ValueError:
        raise invalid(f'invalid value for "marker" param: "{marker}" is not a UUID or date string', "marker") from None
    return [image for image in found if epoch(image.get("published_at", start)) >= begin]
