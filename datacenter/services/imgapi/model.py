"""The images: their manifests, states and files."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.images.downloads import Downloads
from datacenter.images.files import Facts, ImageFiles, Incoming
from datacenter.images.registry import Registry
from datacenter.restify import RestError, not_found
from datacenter.services.imgapi import routes
from datacenter.services.imgapi.layers import file_record
from datacenter.services.imgapi.manifest import CHANGEABLE, Manifest, check, view

if TYPE_CHECKING:
    from datacenter.center import DataCenter

_NOBODY = "00000000-0000-0000-0000-000000000000"


class Imgapi:
    """Every image of the data center.

    A stored image is its manifest plus, in ``files``, what the manifest doesn't show: ``digest`` (of the
    bytes, always our own reckoning), ``uncompressedDigest``, ``md5`` and ``stor``.
    """

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self.images = dc.store.bucket("images")
        self.files = ImageFiles(dc.settings.state / "images", {image["uuid"] for image in self.images.all()})
        self.downloads = Downloads(self.files)
        settings = dc.settings
        self.registry = Registry(settings.insecure_registries, settings.registry_mirrors, closed=settings.places)
        self.app = routes.make_app(self)

    def get(self, uuid: str) -> Manifest | None:
        """Return an image's manifest in any state, as clients see it; None when there is none."""
        image = self.images.get(uuid)
        return None if image is None else view(image)

    def file(self, uuid: str) -> tuple[Path, str]:
        """Return an image's file and its compression. Raises 404 ResourceNotFound when it has none."""
        image = self.find(uuid)
        if not image["files"]:
            raise not_found(f"image {uuid} has no file")
        return self.files.path(uuid), image["files"][0]["compression"]

    @property
    def owner(self) -> str:
        """Who owns all layers: the operators' account."""
        return self._dc.mahi.admin_uuid

    def find(self, uuid: str) -> Manifest:
        image = self.images.get(uuid)
        if image is None:
            raise not_found(f"image {uuid} not found")
        return image

    def create(self, fields: Mapping[str, Any]) -> Manifest:
        """Make a placeholder without a file: state ``unactivated``."""
        check(fields, whole=True)
        owner = fields.get("owner")
        if not owner:
            missing = {"field": "owner", "code": "MissingParameter"}
            raise RestError(422, "ValidationFailed", "invalid image data: owner", [missing])
        self._check_owner(owner)
        kept = {key: value for key, value in fields.items() if key in CHANGEABLE | {"origin"}}
        return self._insert({**kept, "uuid": str(uuids.uuid4()), "owner": owner})

    def admin_import(self, uuid: str, fields: Mapping[str, Any], *, skip_owner_check: bool) -> Manifest:
        """Make a placeholder that keeps its uuid and publishing date, files left out.

        The zero uuid stands for the operators' account. Raises 409 ImageUuidAlreadyExists.
        """
        check(fields, whole=True)
        if fields.get("uuid") != uuid:
            raise RestError(422, "InvalidParameter", f'image uuid mismatch: "{fields.get("uuid")}" is not "{uuid}"')
        if uuid in self.images:
            raise RestError(409, "ImageUuidAlreadyExists", f'image with uuid "{uuid}" already exists')
        owner = fields.get("owner") or _NOBODY
        owner = self.owner if owner == _NOBODY else owner
        if not skip_owner_check:
            self._check_owner(owner)
        kept = {key: value for key, value in fields.items() if key in CHANGEABLE | {"origin", "published_at"}}
        return self._insert({**kept, "uuid": uuid, "owner": owner})

    def _check_owner(self, owner: str) -> None:
        if self._dc.mahi.account(owner) is None:
            raise RestError(422, "OwnerDoesNotExist", f"owner {owner} does not exist")

    def _insert(self, fields: Manifest) -> Manifest:
        origin = fields.get("origin")
        if origin is not None:
            self._check_origin(origin)
        image = {
            "disabled": False,
            "public": False,
            **fields,
            "v": 2,
            "state": "unactivated",
            "files": [],
        }
        return self.images.put(image["uuid"], image)

    def _check_origin(self, origin: str) -> None:
        found = self.images.get(origin)
        if found is None:
            raise RestError(422, "OriginDoesNotExist", f"origin image {origin} does not exist")
        if found["state"] == "unactivated":
            raise RestError(422, "OriginIsNotActive", f"origin image {origin} is not active")

    def add_file(self, uuid: str, incoming: Incoming, facts: Facts, extra: Mapping[str, str]) -> Manifest:
        """Give an unactivated image its file. ``extra``: compression, dataset_guid, uncompressedDigest.

        An active image's file is fixed; adding the very same bytes once more changes nothing.
        """
        image = self.find(uuid)
        if image["state"] != "unactivated":
            if image["files"] and image["files"][0]["digest"] == facts.digest:
                return image
            raise RestError(422, "ImageFilesImmutable", f"cannot modify files of activated image {uuid}")
        self.files.place(incoming.path, uuid)
        return self.images.update(uuid, files=[file_record(facts, extra)])

    def activate(self, uuid: str) -> Manifest:
        image = self.find(uuid)
        if image["state"] != "unactivated":
            raise RestError(422, "ImageAlreadyActivated", f"image {uuid} is already activated")
        if not image["files"]:
            raise RestError(422, "NoActivationNoFile", f"image {uuid} has no file: it cannot be activated")
        published = image.get("published_at") or iso()
        state = "disabled" if image["disabled"] else "active"
        return self.images.update(uuid, state=state, published_at=published)

    def update(self, uuid: str, changes: Mapping[str, Any]) -> Manifest:
        """Change fields of a manifest; of ``files`` only the digests, which must not contradict the bytes."""
        image = self.find(uuid)
        foreign = [field for field in changes if field not in CHANGEABLE | {"owner"}]
        if foreign:
            errors = [{"field": field, "code": "NotAllowed"} for field in foreign]
            raise RestError(422, "ValidationFailed", f"invalid image data: {', '.join(foreign)}", errors)
        check(changes, whole=False)
        fields = dict(changes)
        if "files" in fields:
            fields["files"] = _merged_files(image["files"], fields["files"])
        return self.images.update(uuid, **fields)

    def enable(self, uuid: str, *, disabled: bool) -> Manifest:
        image = self.find(uuid)
        state = image["state"]
        if state in ("active", "disabled"):
            state = "disabled" if disabled else "active"
        return self.images.update(uuid, disabled=disabled, state=state)

    def delete(self, uuid: str, account: str | None) -> None:
        """Remove an image and its file. Raises ImageHasDependentImages while another is built on it."""
        image = self.find(uuid)
        if account is not None and image["owner"] != account:
            raise RestError(422, "NotImageOwner", f"account {account} is not the owner of image {uuid}")
        if any(other.get("origin") == uuid for other in self.images.all()):
            raise RestError(422, "ImageHasDependentImages", f"image {uuid} has dependent images")
        self.images.delete(uuid)
        self.files.remove(uuid)


def _merged_files(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(given) != len(stored):
        raise RestError(422, "ImageFilesImmutable", "files are added and removed by their own calls")
    merged = []
    for mine, theirs in zip(stored, given, strict=True):
        if any(theirs.get(key, mine[key]) != mine[key] for key in ("sha1", "size", "digest")):
            raise RestError(422, "ValidationFailed", "files: sha1, size or digest contradicts the bytes")
        plain = theirs.get("uncompressedDigest")
        merged.append({**mine, "uncompressedDigest": plain} if isinstance(plain, str) else mine)
    return merged
