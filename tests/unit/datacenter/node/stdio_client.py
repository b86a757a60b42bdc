"""The gateway's side of a stdio session, in frames."""

from __future__ import annotations

import json
import socket
import struct
import time

FRAMES = "frames/1"
HEADER = struct.Struct(">B3xI")
STDIN, STDOUT, STDERR, STDIN_EOF, RESIZE, END, DETACH = 0, 1, 2, 16, 17, 18, 19


class Session:
    def __init__(self, answer: dict) -> None:
        assert answer["framing"] == "frames/1"
        self.socket = socket.create_connection((answer["host"], answer["port"]), timeout=20)
        self.file = self.socket.makefile("rb")

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(kind, len(payload)) + payload)

    def type(self, text: bytes) -> None:
        self.send(STDIN, text)

    def resize(self, columns: int, rows: int) -> None:
        self.send(RESIZE, struct.pack(">HH", columns, rows))

    def frame(self) -> tuple[int, bytes] | None:
        header = self.file.read(HEADER.size)
        if not header:
            return None
        kind, size = HEADER.unpack(header)
        return kind, self.file.read(size)

    def until(self, text: bytes) -> bytes:
        """Output up to where ``text`` has come."""
        seen = b""
        while text not in seen:
            frame = self.frame()
            assert frame is not None, f"ended after {seen!r}"
            seen += frame[1]
        return seen

    def rest(self) -> tuple[bytes, bytes, dict | None]:
        """stdout, stderr and the end message, read to FIN."""
        out: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        end = None
        while frame := self.frame():
            if frame[0] == END:
                end = json.loads(frame[1])
            else:
                out[frame[0]].append(frame[1])
        self.socket.close()
        return b"".join(out[STDOUT]), b"".join(out[STDERR]), end


def lines(answer: dict, *messages: dict) -> list[dict]:
    """A whole session in the line protocol."""
    assert "framing" not in answer
    with socket.create_connection((answer["host"], answer["port"]), timeout=20) as connection:
        connection.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        return [json.loads(line) for line in connection.makefile("rb")]


def stdio(node, vm, **command):
    return node.task("docker_exec", uuid=vm, command=command)


def session(node, vm, **command):
    return Session(stdio(node, vm, Framing=FRAMES, **command))


def attach(node, vm, **command):
    return session(node, vm, AttachConsole=True, **command)


def boot(node, vm):
    node.task("machine_boot", uuid=vm)


def stdin_vm(node, *cmd, once=True, tty=False):
    return node.create(*cmd, meta={"docker:open_stdin": True, "docker:tty": tty}, linux={"StdinOnce": once})


def exit_code(node, vm, exec_id):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        state = stdio(node, vm, InspectExec=True, ExecId=exec_id)
        if not state["Running"]:
            return state["ExitCode"]
        time.sleep(0.02)
    raise AssertionError("still running")
