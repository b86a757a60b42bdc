from __future__ import annotations

import json
import socket
import struct
from contextlib import ExitStack, contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdc.errors import SdcUnavailable
from sdc.stdio import FRAMES, FrameConsole, LineConsole, connect, open_socket


def frame(kind, payload=b""):
    return struct.pack(">BxxxL", kind, len(payload)) + payload


@contextmanager
def pair(console, **options):
    ours, theirs = socket.socketpair()
    try:
        yield console(ours, **options), theirs
    finally:
        ours.close()
        theirs.close()


END = frame(18, b'{"code":3,"signal":null}')


def output(stream, *, framed, cuts=()):
    """What a console yields for a byte stream that arrives in pieces."""
    import threading

    with pair(FrameConsole) as (console, node):

        def send():
            at = 0
            with suppress(OSError):  # the reader may have had enough
                for size in cuts:
                    node.sendall(stream[at : at + size])
                    at += size
                node.sendall(stream[at:])
                node.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        got = b"".join(bytes(chunk) for chunk in console.output(framed=framed))
        thread.join()
        return got, console.ended


def test_framed_output_is_passed_on_untouched():
    stream = frame(1, b"out") + frame(2, b"err")
    assert output(stream + END, framed=True) == (stream, {"code": 3, "signal": None})


def test_bare_output_loses_its_headers():
    assert output(frame(1, b"a") + frame(1, b"b") + END, framed=False)[0] == b"ab"


def test_the_end_without_an_end_frame_leaves_nothing_said():
    assert output(frame(1, b"a"), framed=False) == (b"a", None)


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (frame(1, b"a"), True),
        (b"", True),
        (frame(1, b"a") + END, False),
        (frame(1, b"abc")[:-1], False),
        (frame(1, b"a") + frame(2, b"b")[:3], False),
    ],
)
def test_the_loss_of_a_node_is_told_where_a_frame_may_begin(stream, told):
    with pair(FrameConsole) as (console, node):
        node.sendall(stream)
        node.close()
        list(console.output(framed=True))
        assert console.loss()[:8] == (struct.pack(">BxxxL", 3, len(console.loss()) - 8) if told else b"")


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=8),
    st.lists(st.integers(1, 40), max_size=8),
    st.booleans(),
)
def test_however_the_stream_is_cut_the_bytes_are_the_same(parts, cuts, framed):
    stream = b"".join(frame(kind, data) for kind, data in parts)
    expected = stream if framed else b"".join(data for _, data in parts)
    assert output(stream + END, framed=framed, cuts=cuts) == (expected, {"code": 3, "signal": None})


def test_consoles_that_wait_share_a_buffer():
    buffers = set()
    with ExitStack() as stack:
        outputs = []
        for _ in range(20):
            console, node = stack.enter_context(pair(FrameConsole))
            outputs.append((console.output(framed=True), node))
        for output_, node in outputs:
            node.sendall(frame(1, b"a") + END)
            chunk = next(output_)
            assert chunk == frame(1, b"a")
            buffers.add(id(chunk.obj))
            assert list(output_) == []
    assert len(buffers) == 1


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=8),
    st.lists(st.integers(1, 40), max_size=8),
    st.booleans(),
)
def test_poured_as_it_comes_output_is_the_same(parts, cuts, framed):
    stream = b"".join(frame(kind, data) for kind, data in parts) + END
    expected = stream[: -len(END)] if framed else b"".join(data for _, data in parts)
    got = bytearray()
    with pair(FrameConsole) as (console, node):
        for size in cuts:
            assert console.pour(got.extend, framed=framed)  # nothing is waited for
            piece, stream = stream[: min(size, len(stream) - 1)], stream[min(size, len(stream) - 1) :]
            node.sendall(piece)
            assert console.pour(got.extend, framed=framed)
        node.sendall(stream)
        assert not console.pour(got.extend, framed=framed)
        assert (bytes(got), console.ended, console.loss()) == (expected, {"code": 3, "signal": None}, b"")


def test_an_unknown_frame_is_an_error():
    with pytest.raises(SdcUnavailable):
        output(frame(99, b"x"), framed=False)


def test_what_is_sent_in_frames():
    with pair(FrameConsole) as (console, node):
        console.send(b"hi")
        console.end_stdin()
        console.resize(80, 24)
        console.detach()
        expected = frame(0, b"hi") + frame(16) + frame(17, b"\0\x50\0\x18") + frame(19)
        assert node.recv(1000) == expected


def test_lines_from_a_real_node():
    with pair(LineConsole, tty=False) as (console, node):
        messages = [
            {"type": "stdout", "data": "é"},
            {"type": "stderr", "data": "x"},
            {"type": "end", "data": {"code": 1}},
        ]
        node.sendall(b"".join(json.dumps(m).encode() + b"\r\n" for m in messages[:1]) + b"not json\r\n")
        node.sendall(b"".join(json.dumps(m).encode() + b"\r\n" for m in messages[1:]))
        got = b"".join(console.output(framed=True))
        assert got == frame(1, "é".encode()) + frame(2, b"x")
        assert console.ended == {"code": 1}


def test_split_characters_reach_a_real_node_whole():
    with pair(LineConsole, tty=True) as (console, node):
        first, second = "é".encode()[:1], "é".encode()[1:]
        console.send(first)
        console.send(second)
        console.resize(1, 2)
        console.end_stdin()
        sent = [json.loads(text) for text in node.recv(1000).splitlines()]
        assert sent == [
            {"type": "tty", "data": "é"},
            {"type": "tty", "resize": {"w": 1, "h": 2}},
            {"type": "end"},
        ]


def test_the_framing_the_node_agreed_to_is_used():
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = {"host": "127.0.0.1", "port": server.getsockname()[1]}
        for more, kind in (({"framing": FRAMES}, FrameConsole), ({}, LineConsole)):
            console = connect({**answer, **more}, tty=False)
            server.accept()[0].close()
            assert isinstance(console, kind)
            console.close()


def test_a_node_that_is_switched_off_is_noticed_though_its_streams_are_silent():
    with socket.create_server(("127.0.0.1", 0)) as node:
        sock = open_socket({"host": "127.0.0.1", "port": node.getsockname()[1]})
        with sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 60


def test_a_node_may_be_named():
    with (
        socket.create_server(("127.0.0.1", 0)) as node,
        open_socket({"host": "localhost", "port": node.getsockname()[1]}),
    ):
        node.accept()[0].close()


def test_nobody_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SdcUnavailable):
        connect({"host": "127.0.0.1", "port": port}, tty=False)
