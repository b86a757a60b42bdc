"""A small application that shows what the wire does, for the tests of the wire."""

from __future__ import annotations

import gc
import hashlib
import socket
import time
from contextlib import suppress
from typing import ClassVar

import gevent
from flask import Flask, Response, request

from gateway.wire.hijack import HijackedStream, HijackResponse
from gateway.wire.ndjson import encode_json
from gateway.wire.peer import peer_of
from gateway.wire.relay import pump
from gateway.wire.resting import RestingResponse
from gateway.wire.watch import watched
from gateway.wire.websocket import WebSocketResponse

app = Flask("live", static_folder=None)
left: list[str] = []


def shortcut(request, peer) -> bytes | None:
    if (request.method, request.uri) == ("GET", "/short"):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nquick"
    return None


app.shortcut = shortcut
app.common_headers = [("Api-Version", "1.51"), ("Server", "Wire/1")]


@app.after_request
def mark(response: Response) -> Response:
    response.headers["Api-Version"] = "1.51"
    response.headers["Server"] = "Wire/1"
    return response


@app.route("/_ping")
def ping() -> Response:
    return Response(b"OK", content_type="text/plain; charset=utf-8")


@app.route("/peer")
def peer() -> Response:
    found = peer_of(request.environ)
    der = found.pop("certificate")
    found["fingerprint"] = der and hashlib.sha256(der).hexdigest()
    found["scheme"] = request.environ["wsgi.url_scheme"]
    return Response(encode_json(found))


@app.route("/status/<int:code>", methods=["GET", "HEAD", "POST"])
def status(code: int) -> Response:
    return Response(b"" if code in {204, 304} else b"body", status=code)


@app.route("/sizes", methods=["GET", "POST"])
def sizes() -> Response:
    body = request.get_data()
    return Response(
        encode_json(
            {
                "query": len(request.query_string),
                "header": len(request.headers.get("X-Registry-Config", "")),
                "body": len(body),
                "sha": hashlib.sha256(body).hexdigest(),
            }
        )
    )


@app.route("/unread", methods=["POST"])
def unread() -> Response:
    return Response(b"no", status=403)


@app.route("/crash")
def crash() -> Response:
    def pieces():
        yield b"one"
        raise RuntimeError("in the middle of a stream")

    return Response(pieces())


@app.route("/silent")
def silent() -> Response:
    name = request.args["name"]

    def pieces():
        try:
            yield b"first\n"
            gevent.sleep(60)
        finally:
            left.append(name)

    return Response(watched(request.environ, pieces()), content_type="application/json")


@app.route("/quiet")
def quiet() -> Response:
    def pieces():
        gevent.sleep(60)
        yield b"never"

    return Response(watched(request.environ, pieces()))


@app.route("/left/<name>")
def has_left(name: str) -> Response:
    deadline = time.monotonic() + float(request.args.get("seconds", 10))
    while name not in left and time.monotonic() < deadline:
        gevent.sleep(0.01)
    return Response(encode_json(name in left))


def echo(stream: HijackedStream) -> None:
    while data := stream.read():
        stream.write(data)


def digest(stream: HijackedStream) -> None:
    """Read to the client's end, and only then answer: needs a half-close."""
    seen = hashlib.sha256()
    while data := stream.read():
        seen.update(data)
    stream.write(seen.hexdigest().encode())


def blast(stream: HijackedStream) -> None:
    size, seed = (int(part) for part in stream.read().split())
    block = hashlib.sha256(str(seed).encode()).digest() * 4096
    for _ in range(size // len(block)):
        stream.write(block)
    stream.close_write()
    assert stream.read() == b"thanks"


def copy(stream: HijackedStream) -> None:
    pump(stream, stream)


def first_line(stream: HijackedStream) -> None:
    """End while the client still sends."""
    stream.read(10)
    stream.write(b"the last words")


def fail(stream: HijackedStream) -> None:
    stream.write(b"so far")
    raise RuntimeError("in the middle of a session")


def mute(stream: HijackedStream) -> None:
    """Say nothing and hear nothing, as an attach without stdin to a silent container."""
    name = request.args["name"]
    try:
        gevent.sleep(60)
    finally:
        left.append(name)


def heard_out(stream: HijackedStream) -> None:
    """Read to the client's end, then stay silent."""
    while stream.read():
        pass
    mute(stream)


def _listen(stream: HijackedStream) -> None:
    with suppress(OSError):
        while stream.read():
            pass


def heard_aside(stream: HijackedStream) -> None:
    """Read in another greenlet than the one that stays silent, as attach does."""
    aside = gevent.spawn(_listen, stream)
    try:
        mute(stream)
    finally:
        aside.kill()


class Pipe:
    """A tap that a test fills through ``/tap/<name>``, or by itself, listening on a unix socket at ``path``."""

    all: ClassVar[dict[str, Pipe]] = {}

    def __init__(self, name: str, path: str | None) -> None:
        self.all[name] = self
        self.name = name
        if path:
            self.here = socket.socket(socket.AF_UNIX)
            self.here.connect(path)
        else:
            self.here, self.there = socket.socketpair()

    def fileno(self) -> int:
        return self.here.fileno()

    def pour(self, write) -> bool:
        self.here.settimeout(0.0)
        try:
            data = self.here.recv(256 * 1024)
        except BlockingIOError:
            return True
        if data.startswith(b"crash"):
            raise RuntimeError("in the middle of a stream at rest")
        if data:
            write(data)
        return bool(data)

    def close(self) -> None:
        self.here.close()
        left.append(self.name)


@app.route("/rest/<name>", methods=["GET", "POST"])
def rest(name: str) -> Response:
    tap = Pipe(name, request.args.get("path"))
    if request.method == "POST":
        return HijackResponse(fail, "application/vnd.docker.multiplexed-stream", tap=tap)
    return RestingResponse(tap, iter([b"this worker cannot rest"]), content_type="text/plain")


@app.route("/tap/<name>", methods=["POST"])
def tap(name: str) -> Response:
    there = Pipe.all[name].there
    data = request.get_data() * int(request.args.get("times", 1))
    task = gevent.spawn(there.sendall, data)
    if "end" in request.args:
        task.link(lambda _: there.close())
    return Response(b"ok")


@app.route("/greenlets")
def greenlets() -> Response:
    """How many serve a connection, this one included."""
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, gevent.Greenlet) and not one.dead]
    return Response(encode_json(len(found)))


SESSIONS = {f.__name__: f for f in (echo, digest, blast, copy, first_line, fail, mute, heard_out, heard_aside)}


@app.route("/hijack/<name>", methods=["POST"])
def hijack(name: str) -> Response:
    if request.args.get("read"):
        request.get_data()
    return HijackResponse(SESSIONS[name], "application/vnd.docker.multiplexed-stream", {"X-Extra": "1"})


@app.route("/ws/<name>", websocket=True)
def over_websocket(name: str) -> Response:
    return WebSocketResponse(SESSIONS[name], {"X-Extra": "1"}, binary="text" not in request.args)


@app.route("/v<version>/containers/create", methods=["POST"])
def create(version: str) -> Response:
    request.get_data()
    return Response(encode_json({"Id": "a" * 64, "Warnings": []}), status=201, content_type="application/json")


@app.route("/v<version>/containers/<name>/attach", methods=["POST"])
def attach(version: str, name: str) -> Response:
    return HijackResponse(attached, "application/vnd.docker.multiplexed-stream")


def attached(stream: HijackedStream) -> None:
    from gateway.wire.stdcopy import STDERR, STDOUT, frame

    data = b""
    while more := stream.read():
        data += more
    stream.write(frame(STDOUT, b"out:" + data) + frame(STDERR, b"err\n"))


@app.route("/v<version>/containers/<name>/start", methods=["POST"])
def start(version: str, name: str) -> Response:
    return Response(status=204)


@app.route("/v<version>/containers/<name>/wait", methods=["POST"])
def wait(version: str, name: str) -> Response:
    def pieces():
        gevent.sleep(0.3)
        yield encode_json({"StatusCode": 7})

    return Response(watched(request.environ, pieces()), content_type="application/json")


@app.route("/v<version>/containers/<name>/json")
def inspect(version: str, name: str) -> Response:
    return Response(
        encode_json({"Id": "a" * 64, "Name": "/x", "State": {"Running": False, "ExitCode": 7}, "Config": {}}),
        content_type="application/json",
    )
