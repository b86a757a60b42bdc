"""The program that looks into containers' files, without a container around it."""

from __future__ import annotations

import io
import os
import socket
import stat
import tarfile
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacenter.images.tree import UnsafePath
from datacenter.node.files import lookup
from datacenter.node.files.__main__ import _failure
from datacenter.node.files.pack import pack
from datacenter.node.files.unpack import RefusedError, unpack

EVERYTHING_BAD = (tarfile.TarError, OSError, ValueError, OverflowError, EOFError)


@pytest.mark.parametrize(
    ("path", "clean", "name"),
    [
        ("/etc/hosts", "/etc/hosts", "hosts"),
        ("etc/hosts", "/etc/hosts", "hosts"),
        ("/a/../../b", "/b", "b"),
        ("//a///b/", "/a/b/", "b"),
        ("/a/.", "/a/.", "."),
        ("/", "/", "/"),
        ("/.", "/", "/"),
        (".", "/", "/"),
        ("..", "/", "/"),
    ],
)
def test_paths_are_cleaned_as_docker_does(path, clean, name):
    assert (lookup.absolute(path), lookup.base(lookup.absolute(path))) == (clean, name)


@pytest.mark.parametrize(
    ("mode", "go"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o1777, 1 << 31 | 1 << 20 | 0o777),
        (stat.S_IFLNK | 0o777, 1 << 27 | 0o777),
        (stat.S_IFREG | 0o4755, 1 << 23 | 0o755),
        (stat.S_IFREG | 0o2755, 1 << 22 | 0o755),
        (stat.S_IFCHR | 0o620, 1 << 26 | 1 << 21 | 0o620),
        (stat.S_IFBLK | 0o660, 1 << 26 | 0o660),
        (stat.S_IFIFO | 0o600, 1 << 25 | 0o600),
        (stat.S_IFSOCK | 0o600, 1 << 24 | 0o600),
    ],
)
def test_modes_are_gos(mode, go):
    assert lookup.go_mode(mode) == go


def test_times_are_gos():
    assert lookup.rfc3339(1_700_000_000_000_000_000) == "2023-11-14T22:13:20Z"
    assert lookup.rfc3339(1_700_000_000_120_000_000) == "2023-11-14T22:13:20.12Z"


def test_a_link_is_described_as_a_link(tmp_path):
    (tmp_path / "t").write_text("x")
    (tmp_path / "l").symlink_to("t")
    found = lookup.describe(str(tmp_path / "l"))
    assert found["name"] == "l"
    assert found["linkTarget"] == str(tmp_path / "t")
    assert found["mode"] == 1 << 27 | 0o777


def packed(path, name) -> list[tarfile.TarInfo]:
    return tarfile.open(fileobj=io.BytesIO(packed_bytes(path, name))).getmembers()


def packed_bytes(path, name) -> bytes:
    ours, theirs = socket.socketpair()
    received = io.BytesIO()

    def read():
        while data := theirs.recv(1 << 16):
            received.write(data)

    reader = threading.Thread(target=read)
    reader.start()
    with ours:
        pack(ours, str(path), name)
    reader.join()
    theirs.close()
    return received.getvalue()


def test_an_archive_begins_with_the_last_name_and_is_in_order(tmp_path):
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "b" / "c").write_text("c")
    (top / "a").write_text("a")
    assert [entry.name for entry in packed(top, "top")] == ["top", "top/a", "top/b", "top/b/c"]
    assert [entry.name for entry in packed(f"{top}/.", ".")][1:] == ["./a", "./b", "./b/c"]
    assert [entry.name for entry in packed(top, "/")][1:] == ["/a", "/b", "/b/c"]
    assert [entry.name for entry in packed(top, "")] == ["a", "b", "b/c"]


def test_links_pipes_and_odd_names_survive(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").write_bytes(b"x" * 100_000)
    os.link(top / "file", top / "hard")
    (top / "soft").symlink_to("/no/where")
    os.mkfifo(top / "pipe")
    (top / ("n" * 200)).write_text("long")
    with open(os.fsencode(top) + b"/\xff\n", "w") as odd:
        odd.write("odd")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(top / "sock"))
    entries = {entry.name: entry for entry in packed(top, "t")}
    listening.close()
    assert entries["t/hard"].islnk()
    assert entries["t/hard"].linkname == "t/file"
    assert entries["t/soft"].linkname == "/no/where"
    assert entries["t/pipe"].isfifo()
    assert "t/" + "n" * 200 in entries
    assert os.fsdecode(b"t/\xff\n") in entries
    assert "t/sock" not in entries


def test_big_and_sparse_files_are_whole(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(3_000_001)
        file.seek(2_000_000)
        file.write(b"here")
    archive = tarfile.open(fileobj=io.BytesIO(packed_bytes(path, "sparse")))
    content = archive.extractfile("sparse").read()
    assert len(content) == 3_000_001
    assert content[2_000_000:2_000_004] == b"here"


def archive(*entries, **options) -> io.BufferedReader:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=options.get("mode", "w")) as tar:
        for name, kind, value in entries:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mtime = kind, os.getuid(), os.getgid(), 1000
            info.mode = 0o750 if kind == tarfile.DIRTYPE else 0o640
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = value
            elif kind == tarfile.REGTYPE:
                info.size = len(value)
            tar.addfile(info, io.BytesIO(value) if kind == tarfile.REGTYPE else None)
    return io.BufferedReader(io.BytesIO(out.getvalue()))


def extract(source, *, keep_kinds=False):
    unpack(source, keep_kinds=keep_kinds, owner=None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_archives_may_be_compressed(here, mode):
    extract(archive(("d", tarfile.DIRTYPE, None), ("d/f", tarfile.REGTYPE, b"x"), mode=mode))
    assert (here / "d" / "f").read_bytes() == b"x"
    assert stat.S_IMODE((here / "d").stat().st_mode) == 0o750
    assert (here / "d").stat().st_mtime == 1000
    assert (here / "d" / "f").stat().st_mtime == 1000


def test_missing_folders_are_made_and_files_replaced(here):
    (here / "f").write_text("old")
    (here / "victim").write_text("stays")
    (here / "l").symlink_to("victim")
    extract(archive(("f", tarfile.REGTYPE, b"new"), ("a/b/c", tarfile.REGTYPE, b"c"), ("l", tarfile.REGTYPE, b"mine")))
    assert (here / "f").read_text() == "new"
    assert (here / "a/b/c").read_text() == "c"
    assert not (here / "l").is_symlink()
    assert (here / "victim").read_text() == "stays"


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out"])
def test_nothing_climbs_out(here, name):
    with pytest.raises(UnsafePath):
        extract(archive((name, tarfile.REGTYPE, b"x")))


def test_a_name_of_nothing_is_the_folder_itself(here):
    extract(archive(("", tarfile.DIRTYPE, None), ("./", tarfile.DIRTYPE, None), ("x", tarfile.REGTYPE, b"1")))
    assert [path.name for path in here.iterdir()] == ["x"]


def test_folders_and_files_keep_their_kind_when_asked(here):
    (here / "folder").mkdir()
    (here / "file").write_text("x")
    with pytest.raises(RefusedError, match='cannot overwrite directory "folder" with non-directory'):
        extract(archive(("folder", tarfile.REGTYPE, b"x")), keep_kinds=True)
    with pytest.raises(RefusedError, match='cannot overwrite non-directory "file" with directory'):
        extract(archive(("file", tarfile.DIRTYPE, None)), keep_kinds=True)
    extract(archive(("folder", tarfile.REGTYPE, b"x"), ("file", tarfile.DIRTYPE, None)))
    assert (here / "folder").is_file()
    assert (here / "file").is_dir()


def test_nothing_at_all_is_an_empty_archive(here):
    extract(io.BufferedReader(io.BytesIO(b"")))
    assert list(here.iterdir()) == []


def test_an_archive_that_is_cut_short_is_an_error(here):
    whole = archive(("a", tarfile.REGTYPE, b"x" * 5000), ("b", tarfile.REGTYPE, b"y" * 5000)).read()
    with pytest.raises(EVERYTHING_BAD):
        extract(io.BufferedReader(io.BytesIO(whole[:7000])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=1500), flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4))
def test_broken_archives_are_errors_with_a_sentence(here, data, flips):
    whole = bytearray(archive(("a", tarfile.REGTYPE, b"x" * 600), ("s", tarfile.SYMTYPE, "a")).read()[:3072])
    for at, value in flips:
        whole[at % len(whole)] = value
    told: list[str] = []
    for broken in (data, bytes(whole)):
        try:
            extract(io.BufferedReader(io.BytesIO(broken)))
        except EVERYTHING_BAD as error:
            told.append(_failure(error)["error"]["restCode"])
    assert set(told) <= {"ExtractionFailed"}
