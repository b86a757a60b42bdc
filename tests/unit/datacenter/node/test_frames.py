from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.frames import (
    BATCH,
    DETACH,
    END,
    HEADER,
    RESIZE,
    SIZE,
    STDERR,
    STDIN,
    STDIN_EOF,
    STDOUT,
    Asked,
    FrameBatch,
    FrameReader,
    Frames,
    ProtocolError,
    frame,
)

asks = st.one_of(
    st.binary(max_size=200).map(lambda data: Asked(STDIN, data)),
    st.just(Asked(STDIN_EOF)),
    st.just(Asked(DETACH)),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda size: Asked(RESIZE, SIZE.pack(*size))),
)


def joined(events):
    """Events with neighbouring stdin pieces made one, and empty ones left out."""
    found = []
    for event in events:
        if event.kind == STDIN and found and found[-1].kind == STDIN:
            found[-1] = Asked(STDIN, found[-1].data + event.data)
        elif event.kind != STDIN or event.data:
            found.append(event)
    return found


@given(st.lists(asks, max_size=12), st.integers(1, 64))
def test_any_cut_of_the_stream_gives_the_same_events(sent, step):
    wire = b"".join(frame(*event) for event in sent)
    reader = FrameReader()
    seen = [event for at in range(0, len(wire), step) for event in reader.feed(wire[at : at + step])]
    assert joined(seen) == joined(sent)


def test_stdin_is_given_out_before_its_frame_is_whole():
    reader = FrameReader()
    assert list(reader.feed(HEADER.pack(STDIN, 100) + b"abc")) == [Asked(STDIN, b"abc")]


@pytest.mark.parametrize(
    "wire",
    [
        HEADER.pack(STDOUT, 0),
        HEADER.pack(99, 0),
        HEADER.pack(RESIZE, 3),
        HEADER.pack(STDIN_EOF, 1),
        HEADER.pack(END, 9),
    ],
)
def test_foreign_frames_are_refused(wire):
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(wire))


def test_the_header_is_stdcopy():
    assert frame(STDERR, b"hi") == b"\x02\0\0\0\0\0\0\x02hi"


def test_a_batch_frames_pieces_in_place_and_can_be_used_again():
    batch = FrameBatch()
    for kind, text in ((STDOUT, b"one"), (STDERR, b"two!")):
        batch.space()[: len(text)] = text
        batch.add(kind, len(text))
    assert bytes(batch.take()) == frame(STDOUT, b"one") + frame(STDERR, b"two!")
    assert bytes(batch.take()) == b""


def test_batches_at_rest_share_their_buffers():
    batches = [FrameBatch() for _ in range(20)]
    spaces = set()
    for batch in batches:
        batch.space()[:1] = b"x"
        spaces.add(id(batch.space().obj))
        batch.add(STDOUT, 1)
        assert bytes(batch.take()) == frame(STDOUT, b"x")
        batch.rest()
    assert len(spaces) == 1


def test_a_batch_overwrites_the_lead_byte_of_a_packet():
    batch = FrameBatch()
    batch.space(lead=1)[:4] = b"\x03abc"
    batch.add(STDERR, 3)
    assert bytes(batch.take()) == frame(STDERR, b"abc")


def test_a_full_batch_has_no_room_for_a_packet():
    batch = FrameBatch()
    assert not batch.full
    batch.add(STDOUT, BATCH - 9000)
    assert batch.full


def test_lines_become_a_frame_each():
    assert Frames().lines(STDOUT, [b"a\n", b"bc\n"]) == frame(STDOUT, b"a\n") + frame(STDOUT, b"bc\n")


def test_the_end_tells_code_and_error():
    error = {"restCode": "InitNotFound", "message": "no"}
    wire = Frames().end(127, error)
    assert wire[0] == END
    assert json.loads(wire[8:]) == {"code": 127, "signal": None, "error": error}
    assert json.loads(Frames().end(0)[8:]) == {"code": 0, "signal": None}
