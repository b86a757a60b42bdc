"""Save: images as one tar, in the form in which dockerd writes them and every tool reads them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence

from gateway.call import Call
from gateway.errors import NotFound
from gateway.state.image_records import ImageRecord
from grammars.references import Reference, parse
from sdc.errors import SdcError
from translators.errors import speaking_docker
from translators.events.recorder import tell_image
from translators.images import view
from translators.images.blobs import LayerBlob, layer_blobs
from translators.images.layout import Saved, blob_path, blobs, papers
from translators.images.lookup import find_image
from translators.platforms import check_platforms

_BLOCK = tarfile.BLOCKSIZE
_END = tarfile.RECORDSIZE


def save(call: Call, names: Sequence[str]) -> Iterator[bytes]:
    """Return a tar of images: an OCI layout that is a docker archive, too.

    Layers, configs and manifests are the bytes that were pulled or loaded, so that ids and digests stay the same.
    A repository without a tag stands for all of its tags, an id for an image without a name. What can fail is
    looked at before the first byte.

    Docker: GET /images/{name}/get, GET /images/get   SDC: IMGAPI GET /images/:uuid/file
    """
    check_platforms(call.query.get("platform", []))
    images = _chosen(call, names)
    layers = {layer.digest: layer for saved in images for layer in layer_blobs(saved.record)}
    with speaking_docker("problem saving the image"):
        for layer in layers.values():
            _check(call, layer)
    small = blobs(images)
    moment = max(view.created_seconds(saved.record) for saved in images)
    return _written(call, images, small, list(layers.values()), moment)


def _chosen(call: Call, names: Sequence[str]) -> list[Saved]:
    """The images that these names mean, each once, with the tags it is saved under. Raises NotFound."""
    if not names:
        raise NotFound("No such image: ")
    records: dict[str, ImageRecord] = {}
    tags: dict[str, list[Reference]] = {}
    for name in names:
        for record, tag in _meant(call, name):
            records[record.config_digest] = record
            mine = tags.setdefault(record.config_digest, [])
            if tag is not None and tag not in mine:
                mine.append(tag)
    return [Saved(record, tuple(tags[digest])) for digest, record in records.items()]


def _meant(call: Call, name: str) -> Iterator[tuple[ImageRecord, Reference | None]]:
    try:
        reference = parse(name)
    except ValueError:
        reference = None
    every = call.state.images.tags(call.owner.uuid, reference.local_name) if reference else []
    if reference is None or reference.digest or (not reference.tag and not every):
        yield find_image(call, name), None
        return
    for tag in [reference.tag] if reference.tag else every:
        tagged = reference.with_tag(tag)
        record = find_image(call, str(tagged))
        yield record, tagged if str(tagged) in record.tags else None


def _check(call: Call, layer: LayerBlob) -> None:
    try:
        files = call.services.imgapi.get_image(layer.uuid)["files"]
    except SdcError as error:
        if error.status != 404:
            raise
        files = []
    if not files or int(files[0]["size"]) != layer.size:
        raise NotFound(f"layer {layer.digest} of the image is no longer there")


def _written(
    call: Call, images: list[Saved], small: dict[str, bytes], layers: list[LayerBlob], moment: int
) -> Iterator[bytes]:
    for folder in ("blobs/", "blobs/sha256/"):
        yield _header(folder, 0, moment)
    for path, data in small.items():
        yield from _file(path, [data], len(data), moment)
    for layer in layers:
        with speaking_docker("problem saving the image"):
            content = call.services.imgapi.get_image_file(layer.uuid)
            yield from _file(blob_path(layer.digest), content, layer.size, moment)
    for path, data in papers(images).items():
        yield from _file(path, [data], len(data), 0)
    yield bytes(_END)
    for saved in images:
        tell_image(call, saved.record, "save")


def _header(path: str, size: int, moment: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime = size, moment
    if path.endswith("/"):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry.tobuf(tarfile.GNU_FORMAT)


def _file(path: str, content: Sequence[bytes] | Iterator[bytes], size: int, moment: int) -> Iterator[bytes]:
    """One member, padded. Raises NotFound, which cuts the stream, rather than writing a member of another size."""
    yield _header(path, size, moment)
    done = 0
    for data in content:
        done += len(data)
        yield data
    if done != size:
        raise NotFound(f"{path} was not delivered whole")
    yield bytes(-size % _BLOCK)
