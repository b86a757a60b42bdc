"""What a plain node says of a file, put right; and turns that are given back."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading

import pytest

from gateway.errors import InvalidParameter, NotFound, NotImplementedHere
from sdc.errors import SdcError
from translators.containers import archive

DIRECTORY, SYMLINK = 1 << 31, 1 << 27


@pytest.mark.parametrize(
    ("mode", "right"),
    [
        (0, 0o644),
        (1 << 31, DIRECTORY | 0o755),
        (1 << 26, SYMLINK | 0o777),
        (0o600, 0o600),
        (1 << 26 | 0o660, 1 << 26 | 0o660),
        (DIRECTORY | 0o700, DIRECTORY | 0o700),
        (SYMLINK | 0o777, SYMLINK | 0o777),
    ],
)
def test_a_plain_nodes_modes_are_put_right(mode, right):
    assert archive.docker_stat({"mode": mode})["mode"] == right


@pytest.mark.parametrize(("name", "base"), [("etc/hosts", "hosts"), ("etc/", "etc"), ("", "/"), (".", "."), ("x", "x")])
def test_the_name_is_the_last_one(name, base):
    assert archive.docker_stat({"name": name})["name"] == base


class FakeCopies:
    """CNAPI's side of copies: answers, failures, and who holds the turn."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.answer: dict = {
            "containerPathStat": {"name": "f", "size": 3, "mode": 0o644, "mtime": "2026-01-01T00:00:00Z"}
        }
        self.failure: SdcError | None = None
        self.held = 0
        self.able: frozenset[str] = frozenset({"archive", "export", "changes"})
        self.told: list[str] = []

    def docker_copy(self, server_uuid, vm_uuid, **asked):
        assert self.held == 1
        self.asked.append(asked)
        if self.failure:
            raise self.failure
        return self.answer

    def __enter__(self):
        self.held += 1

    def __exit__(self, *_):
        self.held -= 1


@pytest.fixture
def copies(monkeypatch):
    made = FakeCopies()
    vm = {"uuid": "u", "server_uuid": "s", "alias": "web", "internal_metadata": {}}
    monkeypatch.setattr(archive, "find_container", lambda call, ref: vm)
    monkeypatch.setattr(archive, "turn", lambda call, vm, action: made)
    monkeypatch.setattr(archive, "capabilities", lambda call, server: made.able)
    monkeypatch.setattr(archive, "tell", lambda call, vm, action: made.told.append(action))
    return made


class FakeCall:
    def __init__(self, copies, **query) -> None:
        self.services = type("Services", (), {"cnapi": copies})()
        self._query = query

    def arg(self, name):
        return self._query.get(name, "")

    def flag(self, name):
        return self._query.get(name, "") in {"1", "true"}


def node_that(serve) -> dict:
    """A listener that serves one connection; what a node answers to get there."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        with listener, connection:
            serve(connection)

    threading.Thread(target=run, daemon=True).start()
    return {"host": "127.0.0.1", "port": listener.getsockname()[1]}


def test_a_stat_is_a_header(copies):
    headers = archive.stat_path(FakeCall(copies, path="/etc/f"), "web")
    stat = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    assert (stat["name"], stat["mode"], stat["linkTarget"]) == ("f", 0o644, "")
    assert copies.held == 0


@pytest.mark.parametrize(
    ("code", "status", "mode", "kind", "words"),
    [
        ("FileNotFound", 404, "read", NotFound, "Could not find the file /f in container web"),
        ("PathNotDirectory", 400, "write", InvalidParameter, "extraction point is not a directory"),
        ("PathNotDirectory", 400, "read", InvalidParameter, "/f: not a directory"),
        ("InvalidParameters", 400, "read", InvalidParameter, "/f: inner words"),
        ("InitFailed", 409, "write", InvalidParameter, "inner words"),
        ("ReadOnlyFileSystem", 400, "write", InvalidParameter, "container rootfs is marked read-only"),
    ],
)
def test_refusals_are_dockers(copies, code, status, mode, kind, words):
    copies.failure = SdcError("cnapi", status, code, "inner words")
    call = FakeCall(copies, path="/f")
    with pytest.raises(kind, match=words):
        archive.copy_out(call, "web") if mode == "read" else archive.copy_in(call, "web", io.BytesIO())
    assert copies.held == 0


def test_the_turn_lasts_as_long_as_the_archive_and_ends_with_the_client(copies):
    copies.answer |= node_that(lambda connection: connection.sendall(b"tar"))
    reply = archive.copy_out(FakeCall(copies, path="/f"), "web")
    assert copies.held == 1
    assert copies.told == ["archive-path"]
    assert b"".join(reply.items) == b"tar"
    assert copies.held == 0
    copies.answer |= node_that(lambda connection: connection.sendall(b"tar"))
    archive.copy_out(FakeCall(copies, path="/f"), "web").items.close()
    assert copies.held == 0


def test_what_was_not_unpacked_is_said(copies):
    def serve(connection):
        while connection.recv(1000):
            pass
        connection.sendall(b'{"error":{"restCode":"ExtractionFailed","message":"truncated header"}}\r\n')

    copies.answer |= node_that(serve)
    with pytest.raises(InvalidParameter, match="Error processing tar file: truncated header"):
        archive.copy_in(FakeCall(copies, path="/f", noOverwriteDirNonDir="1"), "web", io.BytesIO(b"x" * 1000))
    assert copies.told == []
    assert copies.asked[-1]["report"] is True
    assert copies.asked[-1]["no_overwrite_dir_non_dir"] is True


def test_a_plain_node_is_asked_for_no_more_than_it_can(copies):
    copies.able = frozenset()
    copies.answer |= node_that(lambda connection: connection.recv(1000))
    archive.copy_in(FakeCall(copies, path="/f", noOverwriteDirNonDir="1"), "web", io.BytesIO())
    assert copies.asked == [{"path": "/f", "mode": "write", "no_overwrite_dir": True}]
    assert copies.told == ["extract-to-dir"]
    for use in (archive.export, archive.changes):
        with pytest.raises(NotImplementedHere, match="capability"):
            use(FakeCall(copies), "web")
    with pytest.raises(NotImplementedHere, match="capability archive"):
        archive.copy_in(FakeCall(copies, path="/f", copyUIDGID="1"), "web", io.BytesIO())


def test_a_path_is_needed(copies):
    with pytest.raises(InvalidParameter, match="cannot be empty"):
        archive.copy_out(FakeCall(copies), "web")
