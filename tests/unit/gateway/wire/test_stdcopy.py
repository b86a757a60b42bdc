from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.stdcopy import STDERR, STDOUT, Decoder, FrameError, frame, header

FRAMES = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)))


def test_a_frame_is_dockers():
    assert frame(STDOUT, b"hello") == b"\x01\0\0\0\0\0\0\x05hello"
    assert header(STDERR, 258) == b"\x02\0\0\0\0\0\x01\x02"


@given(FRAMES, st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cutting(frames, cuts):
    wire = b"".join(frame(stream, payload) for stream, payload in frames)
    decoder, found, start = Decoder(), [], 0
    for turn in range(len(wire)):
        if start >= len(wire):
            break
        size = cuts[turn % len(cuts)]
        found += decoder.feed(wire[start : start + size])
        start += size
    assert found == frames
    assert decoder.pending == 0


def test_a_frame_cut_off_is_pending():
    decoder = Decoder()
    assert list(decoder.feed(frame(STDOUT, b"one") + frame(STDOUT, b"two")[:-1])) == [(STDOUT, b"one")]
    assert decoder.pending == 10
    assert list(decoder.feed(memoryview(b"o"))) == [(STDOUT, b"two")]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400", header(STDOUT, 101)])
def test_what_is_no_frame_or_too_large_is_refused(data):
    with pytest.raises(FrameError):
        list(Decoder(limit=100).feed(data))
