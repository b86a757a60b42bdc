"""The image a container is made from."""

from __future__ import annotations

import re
from typing import Any

from gateway.call import Call
from gateway.errors import NotFound
from sdc.errors import SdcError
from translators.containers.payload import Image
from translators.errors import explain
from translators.images import lookup

Source = tuple[Image, dict[str, Any]]
"""An image, and the ``config`` object of its configuration."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def find_source(call: Call, name: str) -> Source:
    """Return an image and the ``config`` object of its configuration.

    Besides the account's docker images the uuid of a SmartOS image may be given. Raises NotFound in the words
    that make the CLI pull.

    SDC: IMGAPI GET /images/:uuid (SmartOS images only)
    """
    try:
        record = lookup.find_image(call, name)
    except NotFound:
        image = _smartos_image(call, name) if _UUID.fullmatch(name) else None
        if image is None:
            raise
        return image, {}
    return Image(record.image_uuid, record.config_digest), dict(record.config.get("config") or {})


def _smartos_image(call: Call, uuid: str) -> Image | None:
    try:
        image = call.services.imgapi.get_image(uuid)
    except SdcError as error:
        if error.status == 404:
            return None
        raise explain(error, "problem looking for the image") from error
    mine = image.get("public") or call.owner.uuid in {image.get("owner"), *(image.get("acl") or ())}
    usable = image.get("os") == "smartos" and image.get("state") == "active"
    return Image(uuid, "", smartos=True) if mine and usable else None
