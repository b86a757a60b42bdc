"""Import: a file system tar becomes an image of one layer."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from gateway.call import Call
from gateway.errors import InvalidParameter, NotImplementedHere
from gateway.state.image_records import ImageRecord
from translators.events.recorder import tell_image
from translators.images import changes as instructions
from translators.images.client_tar import open_tar
from translators.images.layers import BroughtLayer, store_image
from translators.images.lookup import parse_reference
from translators.images.spool import Spool
from translators.platforms import ARCHITECTURE, check_platform


def import_image(
    call: Call, source: str, upload: BinaryIO, *, repo: str, tag: str, message: str, changes: Sequence[str]
) -> list[dict[str, Any]]:
    """Store a tar, plain or compressed, as an image; return the one message that tells its id.

    Only ``-``, the request's body, is a source: a URL would have the data center's own network fetched from.

    Docker: POST /images/create?fromSrc=-   SDC: IMGAPI admin import
    """
    if source != "-":
        raise NotImplementedHere(
            "importing from a URL is not supported: fetch it yourself and pipe it to docker import -"
        )
    check_platform(call.arg("platform"))
    reference = parse_reference(f"{repo}:{tag}" if tag else repo).with_default_tag() if repo else None
    if reference is not None and reference.digest:
        raise InvalidParameter("cannot import digest reference")
    record = _store(call, upload, message, instructions.apply({}, changes))
    if reference is not None:
        images = call.state.images
        images.tag(record.owner_uuid, reference.local_name, reference.tag or "latest", record.config_digest)
        tell_image(call, record, "tag", name=str(reference))
    tell_image(call, record, "import")
    return [{"status": record.config_digest}]


def _store(call: Call, upload: BinaryIO, message: str, config: dict[str, Any]) -> ImageRecord:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    with Spool.of(upload, call.state.folder) as spool:
        _check_archive(spool)
        document = {
            "architecture": ARCHITECTURE,
            "comment": message,
            "config": config,
            "created": now,
            "history": [{"created": now, "comment": message}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [spool.digest]},
        }
        layer = BroughtLayer(digest=spool.digest, diff_id=spool.digest, compression="none", pieces=spool.pieces())
        return store_image(call, msgspec.json.encode(document), [layer])


def _check_archive(spool: Spool) -> None:
    """Refuse what does not begin like a tar; a compute node would find out only when a container is made."""
    if not spool.size:
        return
    try:
        open_tar(spool.file).close()
    except tarfile.TarError as error:
        raise InvalidParameter(f"Error processing tar file: {error}") from error
