from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from gateway.errors import InvalidParameter
from tests.unit.translators.images.conftest import archive, tar_of
from translators.images import importing, load
from translators.images.client_tar import MOST_HEADERS
from translators.images.lookup import find_image


def loaded(world, data, login="alice"):
    return list(load.load(world.call(login), io.BytesIO(data), quiet=True))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_images_are_loaded_with_their_layers_and_names(world, compress):
    data = archive((["busybox:latest", "bb:1"], [b"layer one", b"layer two"]), compress=compress)
    assert [m["stream"] for m in loaded(world, data)] == ["Loaded image: busybox:latest\n", "Loaded image: bb:1\n"]
    record = find_image(world.call(), "busybox")
    assert record.tags == ("bb:1", "busybox:latest")
    assert record.size == len(b"layer one" + b"layer two")
    base, top = world.imgapi.images.values()
    assert (top["origin"], top["state"], record.image_uuid) == (base["uuid"], "active", top["uuid"])
    assert world.imgapi.files[top["uuid"]] == b"layer two"


def test_an_image_without_names_is_told_by_its_id(world):
    [message] = loaded(world, archive(([], [b"x"])))
    assert message["stream"].startswith("Loaded image ID: sha256:")


def test_a_layer_that_is_there_is_not_sent_again(world):
    loaded(world, archive((["a:1"], [b"shared"])))
    world.imgapi.broken_upload = True
    loaded(world, archive((["b:1"], [b"shared"])), login="bob")
    assert find_image(world.call("bob"), "b:1").tags == ("b:1",)


def test_a_failed_upload_leaves_nothing(world):
    world.imgapi.broken_upload = True
    [message] = loaded(world, archive((["a:1"], [b"x"])))
    assert "error" in message
    assert world.imgapi.images == {}
    assert world.state.images.count("alice-uuid") == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no tar at all" * 100, "tar"),
        (archive((["a:1"], [b"x"]), **{"manifest.json": b"{}"}), "manifest.json"),
        (archive((["a:1"], [b"x"]), **{"manifest.json": b'[{"Config":"../../etc/passwd","Layers":["x"]}]'}), "missing"),
        (archive((["UPPER:1"], [b"x"])), "lowercase"),
    ],
)
def test_other_archives_are_refused(world, data, words):
    assert words in loaded(world, data)[-1]["error"]


def test_a_layer_must_be_what_its_digest_says(world):
    data = archive((["a:1"], [b"good layer"]))
    [message] = loaded(world, data.replace(b"good layer", b"evil layer"))
    assert "invalid diffID" in message["error"]
    assert world.state.images.count("alice-uuid") == 0


def many_members():
    one = tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT)
    return one * (MOST_HEADERS // len(one) + 1) + bytes(1024)


def long_name():
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    return header.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096


def long_attribute():
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    return header.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096


@pytest.mark.parametrize("data", [many_members(), long_name(), long_attribute()], ids=["many", "name", "attribute"])
def test_headers_take_no_more_memory_than_they_may(world, data):
    assert "headers are larger" in loaded(world, gzip.compress(data))[-1]["error"]


@pytest.mark.parametrize("data", [long_name(), long_attribute()], ids=["name", "attribute"])
def test_nor_do_those_of_what_is_imported(world, data):
    with pytest.raises(InvalidParameter, match="headers are larger"):
        importing.import_image(world.call(), "-", io.BytesIO(data), repo="", tag="", message="", changes=[])


def test_a_document_nested_without_end_is_refused(world):
    data = archive((["a:1"], [b"x"]), **{"index.json": b'{"manifests":[{"annotations":' + b'{"a":' * 100_000})
    assert "error" in loaded(world, data)[-1]


def test_a_tar_becomes_an_image(world):
    call = world.call()
    tar = tar_of({"etc/motd": b"hello"})
    [message] = importing.import_image(
        call, "-", io.BytesIO(tar), repo="mine", tag="2", message="m", changes=['CMD ["x"]', "ENV A=b"]
    )
    record = find_image(call, "mine:2")
    assert message == {"status": record.config_digest}
    assert record.config["config"] == {"Cmd": ["x"], "Env": ["A=b"]}
    assert world.imgapi.files[record.image_uuid] == tar


def test_an_import_of_nothing_is_an_empty_file_system(world):
    importing.import_image(world.call(), "-", io.BytesIO(b""), repo="empty", tag="", message="", changes=[])
    assert find_image(world.call(), "empty").size == 0


def test_what_is_no_tar_is_not_imported(world):
    with pytest.raises(InvalidParameter, match="Error processing tar file"):
        importing.import_image(world.call(), "-", io.BytesIO(b"<html>"), repo="", tag="", message="", changes=[])
    assert world.imgapi.images == {}


@pytest.mark.parametrize(("repo", "changes"), [("Bad Name", []), ("ok", ["RUN x"]), ("a@sha256:" + "0" * 64, [])])
def test_a_wrong_import_stores_nothing(world, repo, changes):
    with pytest.raises(InvalidParameter):
        importing.import_image(world.call(), "-", io.BytesIO(b"x"), repo=repo, tag="", message="", changes=changes)
    assert world.imgapi.images == {}
