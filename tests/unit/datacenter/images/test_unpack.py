"""What a layer's archive may do to the folder it is unpacked in, and what it may not do to anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacenter.images.unpack import LayerError, unpack_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and overlay marks need root")


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.mtime = 1_700_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def layer(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for item in entries:
            info, data = item if isinstance(item, tuple) else (item, b"")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def folder(name: str) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return entry(name, kind, linkname=target)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "canary").write_text("alive")
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def unpack(root: Path, *entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> None:
    unpack_layer(io.BytesIO(layer(*entries)), root, "none")


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def is_whiteout(path: Path) -> bool:
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


@pytest.mark.parametrize(
    ("compression", "compress"),
    [
        ("none", bytes),
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("zstd", zstandard.compress),
        ("none", gzip.compress),  # sdc-docker uploads its scratch layer so
    ],
)
def test_every_compression(root: Path, compression: str, compress) -> None:
    data = os.urandom(700_000)
    archive = compress(layer(folder("a"), (entry("a/b"), data)))
    unpack_layer(io.BytesIO(archive), root, compression)
    assert (root / "a/b").read_bytes() == data


def test_gzip_of_several_members_with_padding(root: Path) -> None:
    archive = layer((entry("a"), b"x" * 100_000))
    packed = gzip.compress(archive[:1000]) + gzip.compress(archive[1000:]) + b"\0" * 512
    unpack_layer(io.BytesIO(packed), root, "gzip")
    assert (root / "a").stat().st_size == 100_000


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_stream_cut_short_is_an_error(root: Path, compress) -> None:
    packed = compress(layer((entry("a"), os.urandom(50_000))))
    with pytest.raises(LayerError):
        unpack_layer(io.BytesIO(packed[:-20]), root, "none")


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz", "zstd", "lz5"])
def test_garbage_is_an_error(root: Path, compression: str) -> None:
    with pytest.raises(LayerError):
        unpack_layer(io.BytesIO(b"garbage" * 1000), root, compression)


def test_a_bad_header_in_the_middle_is_no_end(root: Path) -> None:
    archive = bytearray(layer((entry("a"), b"1"), (entry("b"), b"2")))
    archive[1024 + 5] ^= 0xFF
    with pytest.raises(LayerError):
        unpack_layer(io.BytesIO(bytes(archive)), root, "none")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_no_bytes_at_all_are_an_empty_layer(root: Path, compress) -> None:
    unpack_layer(io.BytesIO(compress(b"")), root, "none" if compress is bytes else "gzip")
    assert list(root.iterdir()) == []


def test_an_empty_layer(root: Path) -> None:
    unpack_layer(io.BytesIO(gzip.compress(b"\0" * 1024)), root, "gzip")
    assert names(root) == []


def test_owner_mode_time_and_attributes_are_kept(root: Path) -> None:
    unpack(
        root,
        entry("./", tarfile.DIRTYPE, mode=0o711, uid=7),
        entry("bin", tarfile.DIRTYPE, mode=0o1777, gid=5),
        (
            entry(
                "bin/su",
                mode=0o4755,
                uid=1000,
                gid=1001,
                pax_headers={
                    "mtime": "1600000000.123456789",
                    "SCHILY.xattr.user.note": "\udcff\udc80x",
                    "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                    "SCHILY.xattr.trusted.overlay.redirect": "/etc",
                },
            ),
            b"#!",
        ),
    )
    info = (root / "bin/su").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o4755, 1000, 1001)
    assert info.st_mtime_ns == 1_600_000_000_123_456_789
    attributes = os.listxattr(root / "bin/su")
    assert "trusted.overlay.redirect" not in attributes
    assert os.getxattr(root / "bin/su", "security.capability")[:4] == b"\x01\0\0\x02"
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o1777
    assert (root / "bin").stat().st_mtime == 1_700_000_000
    assert (stat.S_IMODE(root.stat().st_mode), root.stat().st_uid) == (0o711, 7)


def test_links_devices_and_fifos(root: Path) -> None:
    unpack(
        root,
        (entry("file"), b"data"),
        link("hard", "file", tarfile.LNKTYPE),
        link("abs", "/file", tarfile.LNKTYPE),
        link("soft", "/nowhere/../x"),
        link("hard-to-soft", "soft", tarfile.LNKTYPE),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("pipe", tarfile.FIFOTYPE, mode=0o620),
    )
    assert (root / "file").stat().st_nlink == 3
    assert os.readlink(root / "soft") == os.readlink(root / "hard-to-soft") == "/nowhere/../x"
    assert (root / "soft").lstat().st_mtime == 1_700_000_000
    assert (root / "null").lstat().st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE((root / "null").lstat().st_mode) == 0o666
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)


def test_whiteouts(root: Path) -> None:
    unpack(root, folder("a"), entry("a/.wh.gone"), folder("b"), entry("b/.wh..wh..opq"), (entry("b/new"), b""))
    assert is_whiteout(root / "a/gone")
    assert os.getxattr(root / "b", "trusted.overlay.opaque") == b"y"
    assert names(root) == ["a", "a/gone", "b", "b/new"]


def test_a_whiteout_hides_lower_layers_only_wherever_it_stands(root: Path) -> None:
    unpack(
        root,
        (entry("file"), b"mine"),
        entry(".wh.file"),
        folder("before"),
        (entry("before/x"), b""),
        entry(".wh.before"),
        entry(".wh.after"),
        folder("after"),
        entry(".wh.implied"),
        (entry("implied/x"), b""),
        entry(".wh.plain"),
        (entry("plain"), b"mine"),
    )
    assert (root / "file").read_text() == (root / "plain").read_text() == "mine"
    for name in ("before", "after", "implied"):
        assert os.getxattr(root / name, "trusted.overlay.opaque") == b"y", name
    assert names(root) == ["after", "before", "before/x", "file", "implied", "implied/x", "plain"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_a_whiteout_of_nothing_is_refused(root: Path, name: str) -> None:
    with pytest.raises(LayerError):
        unpack(root, entry(name))


def test_later_entries_win(root: Path) -> None:
    unpack(
        root,
        folder("d"),
        (entry("d/x"), b"1"),
        (entry("d"), b"now a file"),
        (entry("f"), b"1"),
        folder("f"),
        (entry("f/x"), b"2"),
        folder("f"),
    )
    assert (root / "d").read_text() == "now a file"
    assert (root / "f/x").read_text() == "2"


def test_folders_that_no_entry_names_are_open_to_all(root: Path) -> None:
    before = os.umask(0o077)
    try:
        unpack(root, (entry("usr/bin/x"), b""))
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "usr/bin").stat().st_mode) == 0o755


def test_aufs_book_keeping_is_left_out(root: Path) -> None:
    unpack(root, folder(".wh..wh.plnk"), (entry(".wh..wh.plnk/1.2"), b"x"), (entry("a"), b""))
    assert names(root) == ["a"]


def test_links_inside_the_tree_are_followed_as_if_it_were_the_root(root: Path) -> None:
    unpack(
        root,
        folder("usr"),
        folder("usr/lib"),
        link("lib", "usr/lib"),
        link("abs", "/../../usr/lib/../lib"),
        (entry("lib/one"), b"1"),
        (entry("abs/two"), b"2"),
    )
    assert (root / "usr/lib/one").read_text() == "1"
    assert (root / "usr/lib/two").read_text() == "2"


@pytest.mark.parametrize(
    "entries",
    [
        [(entry("../canary"), b"dead")],
        [(entry("a/../../canary"), b"dead")],
        [(entry("/../canary"), b"dead")],
        [link("x", "../canary", tarfile.LNKTYPE), (entry("x"), b"dead")],
        [link("x", "/etc/passwd", tarfile.LNKTYPE)],
        [(entry("f"), b""), (entry("f/x"), b"")],
        [link("l", "l"), (entry("l/x"), b"")],
        [entry("n" * 300, tarfile.DIRTYPE)],
        [entry("odd", b"Z")],
    ],
    ids=lambda entries: (entries[0][0] if isinstance(entries[0], tuple) else entries[0]).name[:20],
)
def test_evil_archives_are_refused(root: Path, entries: list) -> None:
    with pytest.raises(LayerError):
        unpack(root, *entries)
    assert (root.parent / "canary").read_text() == "alive"


@pytest.mark.parametrize("target", ["..", "../..", "/", "../../../../../..", "{outside}"])
def test_links_that_point_out_lead_back_in(root: Path, target: str) -> None:
    target = target.format(outside=root.parent)
    unpack(root, link("out", target), (entry("out/canary"), b"dead"), entry("out/.wh.canary2"))
    assert (root.parent / "canary").read_text() == "alive"
    assert sorted(os.listdir(root.parent)) == ["canary", "rootfs"]


def test_a_file_over_a_link_replaces_the_link(root: Path) -> None:
    unpack(root, link("x", "../canary"), (entry("x"), b"mine"))
    assert (root.parent / "canary").read_text() == "alive"
    assert not (root / "x").is_symlink()


NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "canary"]), min_size=1, max_size=4
).map("/".join)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=8))
def test_no_archive_touches_anything_outside(tmp_path_factory, plan: list[tuple[str, bytes, str]]) -> None:
    outside = tmp_path_factory.mktemp("evil")
    root = outside / "x" / "rootfs"
    root.mkdir(parents=True)
    (outside / "canary").write_text("alive")
    (outside / "x" / "canary").write_text("alive")
    entries = [
        (entry(name, kind, linkname=target), b"dead" if kind == tarfile.REGTYPE else b"") for name, kind, target in plan
    ]
    try:
        unpack(root, *entries)
    except LayerError:
        pass
    assert sorted(os.listdir(outside)) == ["canary", "x"]
    assert sorted(os.listdir(outside / "x")) == ["canary", "rootfs"]
    for canary in (outside / "canary", outside / "x" / "canary"):
        assert canary.read_text() == "alive"
        assert canary.stat().st_nlink == 1


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 3000), st.sampled_from(["none", "gzip"]))
def test_no_bytes_raise_anything_else(tmp_path_factory, noise: bytes, at: int, compression: str) -> None:
    archive = bytearray(layer((entry("a", pax_headers={"comment": "é"}), b"1" * 600), folder("b")))
    archive[at : at + len(noise)] = noise
    data = bytes(archive) if compression == "none" else gzip.compress(bytes(archive))
    try:
        unpack_layer(io.BytesIO(data), tmp_path_factory.mktemp("fuzz"), compression)
    except LayerError:
        pass
