"""Load: images from an archive that ``docker save`` made, or from an OCI layout."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

from gateway.call import Call
from gateway.errors import DockerError, InvalidParameter
from gateway.state.image_records import ImageRecord
from translators.events.recorder import tell_image
from translators.images.archive import Archive, Entry
from translators.images.client_tar import open_tar, read_members
from translators.images.layers import BroughtLayer, store_image
from translators.images.lookup import parse_reference
from translators.images.messages import Message, failure
from translators.images.spool import Pieces, Slice, Spool, measure
from translators.platforms import check_platforms


def load(call: Call, upload: BinaryIO, *, quiet: bool) -> Iterator[Message]:
    """Store every image of an archive, plain or compressed; return the messages that say what was loaded.

    The archive is put on disk first, for its manifest may come last. Every layer must have the digest that its
    image's config names, or nothing of that image is kept. Layers that an OCI manifest of the archive names stay
    as they are, and so does the manifest; others are kept plain.

    Docker: POST /images/load   SDC: IMGAPI admin import
    """
    check_platforms(call.query.get("platform", []))
    return _loading(call, Spool.of(upload, call.state.folder), quiet=quiet)


def _loading(call: Call, spool: Spool, *, quiet: bool) -> Iterator[Message]:
    with spool:
        try:
            with open_tar(spool.file) as tar:
                read_members(tar)
                for entry in Archive(tar).entries():
                    yield from _load_one(call, spool.file, entry, quiet=quiet)
        except (tarfile.TarError, RecursionError) as error:
            yield failure(f"Error processing tar file: {error}")
        except DockerError as error:
            yield failure(error.message)


def _load_one(call: Call, file: BinaryIO, entry: Entry, *, quiet: bool) -> Iterator[Message]:
    diff_ids = entry.diff_ids
    if len(entry.layers) != len(diff_ids) or not diff_ids:
        count = len(entry.layers)
        raise InvalidParameter(f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {count}")
    names = entry.digests or [""] * len(diff_ids)
    layers = []
    with ExitStack() as held:
        for member, diff_id, digest in zip(entry.layers, diff_ids, names, strict=True):
            layer = _named_layer(file, member, diff_id, digest) if digest else _plain(file, member, diff_id, held)
            if not quiet:
                detail = {"current": layer.size, "total": layer.size}
                yield {"status": "Loading layer", "progressDetail": detail, "id": diff_id[7:19]}
            layers.append(layer)
        record = store_image(call, entry.config, layers, entry.manifest)
    yield from _named(call, record, entry.tags)
    tell_image(call, record, "load")


def _named_layer(file: BinaryIO, member: tarfile.TarInfo, diff_id: str, digest: str) -> BroughtLayer:
    """A layer of the archive as it is, checked against both its digests: other accounts will share it by them."""
    found = measure(Slice(file, member.offset_data, member.size))
    if (found.digest, found.plain_digest) != (digest, diff_id):
        raise InvalidParameter(f"invalid layer {digest}: its content is {found.plain_digest}, not {diff_id}")
    pieces = Pieces(file, member.offset_data, member.size)
    return BroughtLayer(digest=digest, diff_id=diff_id, compression=found.compression, pieces=pieces)


def _plain(file: BinaryIO, member: tarfile.TarInfo, diff_id: str, held: ExitStack) -> BroughtLayer:
    """A layer of the archive, decompressed when it was compressed inside, checked against its digest."""
    pieces = Pieces(file, member.offset_data, member.size)
    found = measure(Slice(file, member.offset_data, member.size))
    if found.plain_digest != diff_id:
        raise InvalidParameter(f"invalid diffID for layer: expected {diff_id!r}, got {found.plain_digest!r}")
    if found.compression != "none":
        spool = held.enter_context(Spool.of(Slice(file, member.offset_data, member.size), None))
        pieces = Pieces(spool.file, 0, spool.size)
    return BroughtLayer(digest=diff_id, diff_id=diff_id, compression="none", pieces=pieces)


def _named(call: Call, record: ImageRecord, tags: list[str]) -> Iterator[Message]:
    for tag in tags:
        reference = parse_reference(tag).with_default_tag()
        call.state.images.tag(record.owner_uuid, reference.local_name, reference.tag or "latest", record.config_digest)
        yield {"stream": f"Loaded image: {reference}\n"}
    if not tags:
        yield {"stream": f"Loaded image ID: {record.config_digest}\n"}
