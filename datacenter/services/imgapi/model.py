"""The images: their manifests, states and files."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.images.downloads import Downloads
from datacenter.images.files import Facts, ImageFiles, Incoming
from datacenter.images.registry import Registry
from datacenter.restify import not_found
from datacenter.services.imgapi import routes
from datacenter.services.imgapi.layers import file_record
from datacenter.services.imgapi.manifest import CHANGEABLE, Manifest, check, view
from datacenter.services.imgapi.refusals import has_dependents, invalid, invalid_data, refuse

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
        if "state" in fields:
            raise invalid_data('invalid image data: "state"', ["state"], "NotAllowed", "Parameter cannot be set")
        check(fields, whole=True)
        owner = fields.get("owner")
        if not owner:
            raise invalid_data("invalid image data: owner", ["owner"], "MissingParameter")
        self._check_owner(owner)
        kept = {key: value for key, value in fields.items() if key in CHANGEABLE | {"origin"}}
        return self._insert({**kept, "uuid": str(uuids.uuid4()), "owner": owner})

    def admin_import(self, uuid: str, fields: Mapping[str, Any], *, skip_owner_check: bool) -> Manifest:
        """Make a placeholder that keeps its uuid and publishing date, files left out.

        The zero uuid stands for the operators' account. Raises 409 ImageUuidAlreadyExists.
        """
        check(fields, whole=True)
        if fields.get("uuid") != uuid:
            message = f'URL UUID, "{uuid}" and body UUID, "{fields.get("uuid")}" do not match'
            raise invalid(message, "uuid")
        if uuid in self.images:
            raise refuse("ImageUuidAlreadyExists", f'image uuid "{uuid}" already exists')
        owner = fields.get("owner") or _NOBODY
        owner = self.owner if owner == _NOBODY else owner
        if not skip_owner_check:
            self._check_owner(owner)
        kept = {key: value for key, value in fields.items() if key in CHANGEABLE | {"origin", "published_at"}}
        return self._insert({**kept, "uuid": uuid, "owner": owner})

    def _check_owner(self, owner: str) -> None:
        if self._dc.mahi.account(owner) is None:
            raise refuse("OwnerDoesNotExist", f'owner "{owner}" does not exist')

    def _insert(self, fields: Manifest) -> Manifest:
        self._check_origin(fields.get("origin"))
        image = {
            "disabled": False,
            "public": False,
            **fields,
            "v": 2,
            "state": "unactivated",
            "files": [],
        }
        return self.images.put(image["uuid"], image)

    def _check_origin(self, origin: str | None) -> None:
        if origin is None:
            return
        found = self.images.get(origin)
        if found is None:
            raise refuse("OriginDoesNotExist", f'origin image "{origin}" does not exist')
        if found["state"] == "unactivated":
            raise refuse("OriginIsNotActive", f'origin image "{origin}" is not active')

    def add_file(self, uuid: str, incoming: Incoming, facts: Facts, extra: Mapping[str, str]) -> Manifest:
        """Give an unactivated image its file. ``extra``: compression, dataset_guid, uncompressedDigest.

        An active image's file is fixed; adding the very same bytes once more changes nothing.
        """
        image = self.find(uuid)
        if image["state"] != "unactivated":
            if image["files"] and image["files"][0]["digest"] == facts.digest:
                return image
            raise refuse("ImageFilesImmutable", f"cannot modify files on activated image {uuid}")
        self.files.place(incoming.path, uuid)
        return self.images.update(uuid, files=[file_record(facts, extra)])

    def activate(self, uuid: str) -> Manifest:
        image = self.find(uuid)
        if image["state"] != "unactivated":
            raise refuse("ImageAlreadyActivated", f'image "{uuid}" is already activated')
        if not image["files"]:
            raise refuse("NoActivationNoFile", f'image "{uuid}" cannot be activated: it has no file')
        self._check_origin(image.get("origin"))
        published = image.get("published_at") or iso()
        state = "disabled" if image["disabled"] else "active"
        return self.images.update(uuid, state=state, published_at=published)

    def update(self, uuid: str, changes: Mapping[str, Any]) -> Manifest:
        """Change fields of a manifest; null takes one away. Raises ValidationFailed.

        Of ``files`` only the digests, which must not contradict the bytes; ``uuid`` and ``origin`` while the image
        is unactivated, as sdc-docker's builds do.
        """
        image = self.find(uuid)
        if not changes:
            raise invalid_data("invalid image update data: no parameters provided", [], "")
        _check_changes(image, changes)
        fields = dict(changes)
        if "owner" in fields:
            self._check_owner(fields["owner"])
        self._check_origin(fields.get("origin"))
        if "files" in fields:
            fields["files"] = _merged_files(image["files"], fields["files"])
        new_uuid = fields.pop("uuid", uuid)
        if new_uuid != uuid:
            return self._rename(image, new_uuid, fields)
        return self.images.update(uuid, **fields)

    def _rename(self, image: Manifest, uuid: str, fields: dict[str, Any]) -> Manifest:
        if uuid in self.images:
            raise refuse("ImageUuidAlreadyExists", f'image uuid "{uuid}" already exists')
        self.files.rename(image["uuid"], uuid)
        renamed = self.images.put(uuid, {**image, **fields, "uuid": uuid})
        self.images.delete(image["uuid"])
        return renamed

    def enable(self, uuid: str, *, disabled: bool) -> Manifest:
        image = self.find(uuid)
        state = image["state"]
        if state in ("active", "disabled"):
            state = "disabled" if disabled else "active"
        return self.images.update(uuid, disabled=disabled, state=state)

    def delete(self, uuid: str) -> None:
        """Remove an image and its files. Raises ImageHasDependentImages while another is built on it."""
        self.find(uuid)
        dependents = [other["uuid"] for other in self.images.all() if other.get("origin") == uuid]
        if dependents:
            raise has_dependents(uuid, dependents)
        self.images.delete(uuid)
        self.files.remove(uuid)

    def share(self, uuid: str, add: Collection[str] = (), remove: Collection[str] = ()) -> Manifest:
        """Let accounts use a private image, or let them no longer."""
        acl = self.find(uuid).get("acl", [])
        kept = [account for account in acl if account not in remove]
        return self.images.update(uuid, acl=list(dict.fromkeys([*kept, *add])))

    def clone(self, uuid: str, account: str) -> Manifest:
        """Give an account its own copy of an image that is shared with it; origins must be the operators'."""
        image = self.find(uuid)
        if image["state"] == "unactivated":
            raise invalid_data("image is not active", ["active"], "Invalid")
        if account not in image.get("acl", ()):
            raise refuse("ImageNotShared", f"image {uuid} is not shared with account {account}")
        if image["type"] == "docker":
            raise invalid_data("docker images cannot be cloned", ["type"], "Invalid")
        origin = self.images.get(image.get("origin", ""))
        if origin is not None and origin["owner"] not in (_NOBODY, self.owner):
            raise refuse("NotImplemented", "an image whose origin is another account's cannot be cloned")
        copy = {key: value for key, value in image.items() if key not in ("acl", "icon", "icon_file")}
        new_uuid = str(uuids.uuid4())
        self.files.place(self.files.path(uuid), new_uuid)
        return self.images.put(new_uuid, {**copy, "uuid": new_uuid, "owner": account, "published_at": iso()})


def _check_changes(image: Manifest, changes: Mapping[str, Any]) -> None:
    foreign = [field for field in changes if field not in CHANGEABLE | {"owner", "origin", "uuid"}]
    if foreign:
        message = f"invalid image update data: {', '.join(foreign)}"
        raise invalid_data(message, foreign, "NotAllowed", "Parameter cannot be updated")
    fixed = [field for field in ("uuid", "origin") if changes.get(field, image.get(field)) != image.get(field)]
    if fixed and image["state"] != "unactivated":
        message = f"invalid image update data: {', '.join(fixed)}"
        raise invalid_data(message, fixed, "NotAllowed", "Can only be updated on unactivated images")
    check(changes, whole=False)


def _merged_files(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(given) != len(stored):
        raise refuse("ImageFilesImmutable", "files are added and removed by their own calls")
    merged = []
    for mine, theirs in zip(stored, given, strict=True):
        if any(theirs.get(key, mine[key]) != mine[key] for key in ("sha1", "size", "digest")):
            raise invalid_data("invalid image update data: files", ["files"], "NotAllowed", "contradicts the bytes")
        plain = theirs.get("uncompressedDigest")
        merged.append({**mine, "uncompressedDigest": plain} if isinstance(plain, str) else mine)
    return merged
