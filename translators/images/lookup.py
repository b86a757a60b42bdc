"""Finding an image of the account by any name Docker takes for it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from gateway.state.image_records import ImageRecord
from grammars import references
from grammars.dockerids import is_hex
from sdc.errors import SdcError
from translators.errors import speaking_docker

_TRUSTED_SECONDS = 30.0
_seen: dict[str, float] = {}


def find_image(call: Call, name: str) -> ImageRecord:
    """Return the image that a name, a digest, an id or the beginning of an id means.

    A name wins over an id prefix. An image whose top layer IMGAPI has lost (operators delete images behind
    everybody's back) is forgotten here, names and all. Raises NotFound with the words that make the CLI pull, and
    InvalidParameter for what can be no image's name.
    """
    record = _by_reference(call, name) or _by_id(call, name)
    if record is None or not still_there(call, record):
        raise NotFound(f"No such image: {_spoken(name)}")
    return record


def parse_reference(name: str) -> references.Reference:
    """Parse an image reference. Raises InvalidParameter with Docker's sentence."""
    try:
        return references.parse(name)
    except ValueError as error:
        raise InvalidParameter(str(error)) from error


def _spoken(name: str) -> str:
    if len(name) == 64 and is_hex(name):
        return name
    return str(parse_reference(name).with_default_tag())


def _by_reference(call: Call, name: str) -> ImageRecord | None:
    try:
        reference = references.parse(name).with_default_tag()
    except ValueError:
        return None
    images, owner = call.state.images, call.owner.uuid
    if reference.digest:
        return images.by_digest(owner, reference.local_name, reference.digest)
    return images.by_tag(owner, reference.local_name, reference.tag or references.DEFAULT_TAG)


def _by_id(call: Call, name: str) -> ImageRecord | None:
    digits = name.removeprefix("sha256:")
    if not digits or not is_hex(digits) or len(digits) > 64:
        return None
    found = call.state.images.by_id_prefix(call.owner.uuid, digits)
    return found[0] if len(found) == 1 else None


def line_of(call: Call, record: ImageRecord) -> Iterator[ImageRecord]:
    """Yield an image and those that it was made from, as far as they are still there."""
    found: ImageRecord | None = record
    while found is not None:
        yield found
        found = call.state.images.get(found.owner_uuid, found.parent)


def still_there(call: Call, record: ImageRecord) -> bool:
    """Whether IMGAPI has an image's top layer; an image that has lost it is forgotten here."""
    now = time.monotonic()
    if _seen.get(record.image_uuid, -_TRUSTED_SECONDS) > now - _TRUSTED_SECONDS:
        return True
    with speaking_docker("problem looking up the image"):
        try:
            call.services.imgapi.get_image(record.image_uuid)
        except SdcError as error:
            if error.status != 404:
                raise
            call.state.images.delete(record.owner_uuid, record.config_digest)
            return False
    if len(_seen) > 10_000:
        _seen.clear()
    _seen[record.image_uuid] = now
    return True


def forget(image_uuid: str) -> None:
    """Ask IMGAPI again at the next look-up of this layer."""
    _seen.pop(image_uuid, None)
