"""Whatever way an answer is read, it is what the standard library makes of it."""

from __future__ import annotations

import http.client
import socket

import pytest

from sdc.answers import Response

ANSWERS = {
    "usual": b"HTTP/1.1 200 OK\r\nX-Thing: 7\r\ncontent-LENGTH: 2\r\n\r\n{}",
    "kept, as is said": b"HTTP/1.1 202 Accepted\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
    "an error": b'HTTP/1.1 409 Conflict\r\nContent-Length: 12\r\n\r\n{"code":"x"}',
    "to be closed": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n",
    "chunked, with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nX-Thing: 7\r\n\r\n",
    "of no length": b"HTTP/1.1 200 OK\r\n\r\n{} until the end",
    "of an older version": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "after a continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "of two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a length in a value": b"HTTP/1.1 200 OK\r\nX-Not: content-length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "lines of Unix": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
}


class Pieces:
    """A socket from which come the given pieces, then its end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, size: int) -> bytes:
        assert size >= max(map(len, self._pieces), default=0)
        return self._pieces.pop(0) if self._pieces else b""


def read(*pieces, method="GET"):
    response = Response(Pieces(*pieces), method=method)
    response.begin()
    return response


def librarys(raw, method="GET"):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        reply = http.client.HTTPResponse(ours, method=method)
        reply.begin()
        return reply.status, reply.read(), reply.headers.items(), reply.will_close


@pytest.mark.parametrize("raw", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(raw):
    for cut in range(len(raw)):
        found = read(raw[:cut], raw[cut:])
        answer = found.answer
        assert (answer.status_code, answer.content, answer.headers.items(), found.will_close) == librarys(raw)


def test_a_head_alone_has_no_body_but_tells_of_one():
    raw = b"HTTP/1.1 200 OK\r\nX-Count: 3\r\nContent-Length: 50\r\n\r\n"
    found = read(raw, method="HEAD")
    assert (found.answer.content, found.answer.headers.get("x-count"), found.will_close) == (b"", "3", False)


def test_what_follows_an_answer_spoils_its_connection():
    found = read(ANSWERS["usual"] + b"HTTP/1.1 200 OK\r\n")
    assert (found.answer.content, found.will_close) == (b"{}", True)


@pytest.mark.parametrize("raw", [b"", b"what?\r\n\r\n", ANSWERS["usual"][:-1], ANSWERS["chunked"][:-8]])
def test_what_breaks_off_or_is_no_answer_is_an_error(raw):
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        read(raw)
