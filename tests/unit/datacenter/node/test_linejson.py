from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.frames import DETACH, RESIZE, SIZE, STDERR, STDIN, STDIN_EOF, STDOUT, Asked, ProtocolError
from datacenter.node.linejson import LineBatch, LineReader, Lines


def wire(*messages):
    return b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)


def feed(*messages):
    return list(LineReader().feed(wire(*messages)))


def keys(text):
    return {"type": "tty", "data": text}


@pytest.mark.parametrize(
    ("messages", "events"),
    [
        ([{"type": "stdin", "data": "hé\n"}], [Asked(STDIN, "hé\n".encode())]),
        ([keys("ls\r")], [Asked(STDIN, b"ls\r")]),
        ([{"type": "tty", "resize": {"w": 80, "h": 24}}], [Asked(RESIZE, SIZE.pack(80, 24))]),
        ([{"type": "end"}], [Asked(STDIN_EOF)]),
        ([keys("\x10"), keys("\x11")], [Asked(DETACH)]),
        ([keys("\x10"), keys("x")], [Asked(STDIN, b"x")]),
        ([keys("\x11")], [Asked(STDIN, b"\x11")]),
        ([keys("\x10\x11")], [Asked(STDIN, b"\x10\x11")]),
        ([keys("\x10"), keys("\x10"), keys("\x11")], [Asked(DETACH)]),
        ([keys("")], []),
    ],
)
def test_messages(messages, events):
    assert feed(*messages) == events


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b"[1]\n",
        b'{"type":"what"}\n',
        b'{"data":"x"}\n',
        b'{"type":"tty","resize":{"w":80}}\n',
        b'{"type":"tty","resize":{"w":80,"h":70000}}\n',
    ],
)
def test_what_is_unknown_kills_the_session(line):
    with pytest.raises(ProtocolError):
        list(LineReader().feed(line))


@given(
    st.lists(st.text(min_size=1, max_size=20).filter(lambda text: text not in "\x10\x11"), max_size=8),
    st.integers(1, 16),
)
def test_any_cut_of_the_stream_gives_the_same_text(texts, step):
    sent = wire(*(keys(text) for text in texts))
    reader = LineReader()
    seen = [event for at in range(0, len(sent), step) for event in reader.feed(sent[at : at + step])]
    assert b"".join(event.data for event in seen) == "".join(texts).encode()


def test_blank_lines_are_nothing():
    assert list(LineReader().feed(b"\r\n\n  \n")) == []


def pieces(names, kind, *parts):
    batch = LineBatch(names)
    for part in parts:
        batch.space(lead=1)[1 : 1 + len(part)] = part
        batch.add(kind, len(part))
    batch.finish(kind)
    return [json.loads(line) for line in batch.take().splitlines()]


@given(st.text(max_size=40), st.integers(1, 5))
def test_characters_survive_any_cut(text, step):
    data = text.encode()
    messages = pieces(Lines().names, STDOUT, *(data[at : at + step] for at in range(0, len(data), step)))
    assert "".join(message["data"] for message in messages) == text
    assert {message["type"] for message in messages} <= {"stdout"}


def test_bytes_that_are_no_text_are_lost_as_on_a_real_node():
    assert pieces(Lines().names, STDERR, b"a\xffb", b"\xc3") == [
        {"type": "stderr", "data": "a\ufffdb"},
        {"type": "stderr", "data": "\ufffd"},
    ]


def test_a_terminal_has_one_name_for_all_output():
    assert pieces(Lines(tty=True).names, STDERR, b"x") == [{"type": "tty", "data": "x"}]


def test_lines_end_with_crlf_and_the_end_has_no_error():
    assert Lines().output(STDOUT, b"a") == b'{"type":"stdout","data":"a"}\r\n'
    error = {"restCode": "InitNotFound", "message": "no"}
    assert Lines().end(127, error) == b'{"type":"end","data":{"code":127,"signal":null}}\r\n'
