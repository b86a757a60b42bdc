"""Load: images from an archive that ``docker save`` made."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from gateway.call import Call
from gateway.errors import DockerError, InvalidParameter
from gateway.state.image_records import ImageRecord
from translators.events.recorder import tell_image
from translators.images.layers import BroughtLayer, store_image
from translators.images.lookup import parse_reference
from translators.images.messages import Message, failure
from translators.images.spool import Slice, Spool

_MOST_CONFIG = 8 * 1024 * 1024


def load(call: Call, upload: BinaryIO, *, quiet: bool) -> Iterator[Message]:
    """Store every image of a docker archive, plain or compressed; return the messages that say what was loaded.

    The archive is put on disk first, for its manifest may come last. Every layer must have the digest that its
    image's config names, or nothing of that image is kept.

    Docker: POST /images/load   SDC: IMGAPI admin import
    """
    return _loading(call, Spool.of(upload, call.state.folder), quiet=quiet)


def _loading(call: Call, spool: Spool, *, quiet: bool) -> Iterator[Message]:
    with spool:
        try:
            with tarfile.open(fileobj=spool.file, mode="r:") as archive:
                for entry in _entries(archive):
                    yield from _load_one(call, archive, spool.file, entry, quiet=quiet)
        except tarfile.TarError as error:
            yield failure(f"Error processing tar file: {error}")
        except DockerError as error:
            yield failure(error.message)


def _entries(archive: tarfile.TarFile) -> list[dict[str, Any]]:
    """Read manifest.json. Raises InvalidParameter when there is none, or it is not what docker save writes."""
    data = _read(archive, "manifest.json")
    try:
        entries = msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidParameter(f"invalid manifest.json in the archive: {error}") from error
    return entries


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    """Find a regular file of the archive, through links that stay in it."""
    try:
        member = archive.getmember(name)
        for _ in range(8):
            if not (member.issym() or member.islnk()):
                break
            member = archive._find_link_target(member)  # type: ignore[attr-defined]  # resolves inside the archive only
    except KeyError as error:
        raise InvalidParameter(f"invalid archive: {name} is missing") from error
    if not member.isreg():
        raise InvalidParameter(f"invalid archive: {name} is not a file")
    return member


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = _member(archive, name)
    if member.size > _MOST_CONFIG:
        raise InvalidParameter(f"invalid archive: {name} is too large")
    file = archive.extractfile(member)
    return file.read() if file else b""


def _load_one(
    call: Call, archive: tarfile.TarFile, file: BinaryIO, entry: dict[str, Any], *, quiet: bool
) -> Iterator[Message]:
    config = _read(archive, str(entry.get("Config", "")))
    diff_ids = _diff_ids(config)
    names = [str(name) for name in entry.get("Layers") or []]
    if len(names) != len(diff_ids) or not names:
        raise InvalidParameter(f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(names)}")
    layers = []
    for name, diff_id in zip(names, diff_ids, strict=True):
        member = _member(archive, name)
        layer = _brought(file, member, diff_id)
        if not quiet:
            detail = {"current": layer.size, "total": layer.size}
            yield {"status": "Loading layer", "progressDetail": detail, "id": diff_id[7:19]}
        layers.append(layer)
    record = store_image(call, config, layers)
    yield from _named(call, record, [str(name) for name in entry.get("RepoTags") or []])
    tell_image(call, record, "load")


def _diff_ids(config: bytes) -> list[str]:
    try:
        return [str(digest) for digest in msgspec.json.decode(config)["rootfs"]["diff_ids"]]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise InvalidParameter("invalid archive: an image's config has no rootfs") from error


def _brought(file: BinaryIO, member: tarfile.TarInfo, diff_id: str) -> BroughtLayer:
    """A layer of the archive, decompressed when it was compressed inside, checked against its digest."""
    spool = Spool.of(Slice(file, member.offset_data, member.size), None)
    if spool.digest != diff_id:
        spool.close()
        raise InvalidParameter(f"invalid diffID for layer: expected {diff_id!r}, got {spool.digest!r}")
    return BroughtLayer(digest=diff_id, size=spool.size, open=spool.reopen)


def _named(call: Call, record: ImageRecord, tags: list[str]) -> Iterator[Message]:
    for tag in tags:
        reference = parse_reference(tag).with_default_tag()
        call.state.images.tag(record.owner_uuid, reference.local_name, reference.tag or "latest", record.config_digest)
        yield {"stream": f"Loaded image: {reference}\n"}
    if not tags:
        yield {"stream": f"Loaded image ID: {record.config_digest}\n"}
