from __future__ import annotations

import bz2
import gzip
import hashlib
import io
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidParameter, Unavailable
from translators.images.spool import SPARED, Pieces, Slice, Spool, measure

WAYS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "two gzip members": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("way", WAYS)
@given(data=st.binary(min_size=5, max_size=5000))
@settings(max_examples=25)
def test_content_size_and_digest_are_those_of_the_plain_bytes(way, data):
    if way == "plain" and data[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5"):
        return
    with Spool.of(io.BytesIO(WAYS[way](data)), None) as spool:
        assert b"".join(spool.pieces()) == data
        assert spool.size == len(data)
        assert spool.digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_big_streams_pass_in_pieces():
    data = bytes(3_000_000) + b"end"
    with Spool.of(io.BytesIO(gzip.compress(data)), None) as spool:
        assert spool.size == len(data)


def test_the_disk_is_never_filled(monkeypatch):
    """What compresses well is small on its way; the records of all accounts are on the same disk."""
    room = [SPARED, SPARED - 4096]
    monkeypatch.setattr(
        "os.fstatvfs", lambda _: SimpleNamespace(f_bavail=room.pop(0) // 4096, f_frsize=4096, f_blocks=1 << 30)
    )
    with pytest.raises(Unavailable, match="too large for the room"):
        Spool.of(io.BytesIO(gzip.compress(bytes(20_000_000))), None)
    assert not room


@pytest.mark.parametrize("broken", [gzip.compress(b"x" * 1000)[:-9], b"\x1f\x8b" + b"nonsense" * 9])
def test_damaged_archives_are_refused(broken):
    with pytest.raises(InvalidParameter, match="damaged"):
        Spool.of(io.BytesIO(broken), None)


def test_other_compressions_are_named():
    with pytest.raises(InvalidParameter, match="bzip2"):
        Spool.of(io.BytesIO(bz2.compress(b"x" * 100)), None)


def test_a_slice_ends_where_it_should():
    part = Slice(io.BytesIO(b"0123456789"), 2, 5)
    assert (part.read(3), part.read(9), part.read(9)) == (b"234", b"56", b"")


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_is_measured_without_being_kept(way):
    data = b"content " * 1000
    padding = b"" if way == "zstd" else b"\0" * 700  # some tools pad a gzip stream
    packed = WAYS[way](data) + padding
    found = measure(io.BytesIO(packed))
    assert found.digest == "sha256:" + hashlib.sha256(packed).hexdigest()
    plain = packed if way == "plain" else data
    assert found.plain_digest == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert found.compression == {"plain": "none", "zstd": "zstd"}.get(way, "gzip")


def test_what_measuring_reads_as_damaged_is_the_clients_fault():
    with pytest.raises(InvalidParameter, match="damaged"):
        measure(io.BytesIO(gzip.compress(b"x" * 1000)[:-9]))


def test_pieces_can_be_had_twice():
    pieces = Pieces(io.BytesIO(b"0123456789"), 2, 5)
    assert len(pieces) == 5
    assert [b"".join(pieces), b"".join(pieces)] == [b"23456"] * 2
