"""Attach to a container's console: its output as it comes, and its stdin.

Docker: POST /containers/{id}/attach   SDC: CNAPI docker-exec {AttachConsole: true}
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import gevent
from gevent import socket
from gevent.event import AsyncResult, Event

from datacenter.node import conmon
from datacenter.node.client import CONNECT_WITHIN, Client, rendezvous
from datacenter.node.console import Console
from datacenter.node.ending import Ending
from datacenter.node.frames import DETACH, RESIZE, STDERR, STDIN, STDIN_EOF, STDOUT, Asked, Framing, ProtocolError
from datacenter.node.relay import Packets, relay
from datacenter.node.replay import log_size, replay
from datacenter.node.tasks import TaskError
from datacenter.node.terminal import resize_console, unpack_size
from datacenter.node.zone import Hook, Zone

BOOT_WITHIN = 60.0
EXIT_WITHIN = 30.0
"""Seconds from the console's end until the agent must know the exit code."""


class Attachment:
    """One session of a client on a zone's console.

    Made before the zone's start it is hooked up when the container exists and its process does not run yet, so no
    output is lost. The container never notices a client that leaves, but for the stdin of a StdinOnce container,
    which ends with the client that had it.
    """

    def __init__(self, zone: Zone, command: dict[str, Any], framing: Framing) -> None:
        self.zone = zone
        self.framing = framing
        self.stdin = bool(command.get("AttachStdin")) and zone.open_stdin
        self.streaming = bool(command.get("Stream", True))
        self.logs = bool(command.get("Logs"))
        kinds = {STDOUT: command.get("AttachStdout", True), STDERR: command.get("AttachStderr", True)}
        self.wanted = frozenset(kind for kind, asked in kinds.items() if asked)
        self.was_running = zone.running
        self.hooked: AsyncResult[Console] = AsyncResult()
        self.connected = Event()
        self.given_up = Event()
        """The zone did not start, or no client came."""
        self._ending: Ending | None = None
        self._detached = False
        self._log_known = (0, 0)

    def hook(self, zone: Zone) -> None:
        """Connect to the console of a container that runs, or exists and is about to start."""
        before = log_size(zone)
        self._ending = Ending(zone)
        try:
            console = Console.connect(zone.attach_socket)
        except OSError as error:  # its conmon ended a moment ago
            self._log_known = (log_size(zone),) * 2
            self.hooked.set_exception(error)
        else:
            self._log_known = (before, log_size(zone))
            if self.logs and self._log_known[1] > before:
                conmon.await_turn(zone)
            self.hooked.set(console)

    def hook_and_hold(self, zone: Zone) -> None:
        """Connect, and keep the process from starting until the client is there, as a real node does."""
        self.hook(zone)
        self.connected.wait(CONNECT_WITHIN)

    def serve(self, connection: socket.socket) -> None:
        """Serve the client until the container ends or the client leaves."""
        client = Client(connection, self.framing)
        self.connected.set()
        reading = client.listen(self._read)
        if not self.was_running:
            gevent.wait([self.hooked, self.zone.started, self.given_up, client.left], count=1)
        code = None
        if not client.left.is_set():
            if not self.hooked.ready():
                self.hook(self.zone)
            code = self._stream(client)
        reading.stop()
        self.abandon()
        client.end(code)

    def wait_for_start(self, hook: Hook) -> None:
        """Have ``hook`` called when the zone is about to start, and know when it will not."""
        self.zone.before_start.append(hook)
        self.zone.not_started.append(self._give_up)

    def _give_up(self, _: Zone) -> None:
        self.given_up.set()

    def abandon(self) -> None:
        """Let go of the zone, as when no client came."""
        self.given_up.set()
        self.zone.before_start[:] = [
            hook for hook in self.zone.before_start if hook not in (self.hook, self.hook_and_hold)
        ]
        self.zone.not_started[:] = [hook for hook in self.zone.not_started if hook != self._give_up]
        if self._ending is not None:
            self._ending.forget()
        if self.hooked.ready() and self.hooked.successful():
            self.hooked.get().close()

    def _stream(self, client: Client) -> int | None:
        """Pass the output on; the exit code when the container ended, None when the client left before."""
        console = self.hooked.get() if self.hooked.successful() else None
        if self.logs:
            replay(self.zone, client, console if self.streaming else None, self.wanted, self._log_known)
        if console is None or not self.streaming:
            return self._exit_code() if self.streaming else None
        output = gevent.spawn(_pass_on, console.output(self.wanted), client)
        gevent.wait([output, client.left], count=1)
        if output.ready():
            return self._exit_code()
        if not self._must_stay():
            output.kill()
        return None

    def _exit_code(self) -> int | None:
        assert self._ending is not None
        self._ending.seen.wait(EXIT_WITHIN)
        return self._ending.code

    def _must_stay(self) -> bool:
        """Whether our going would close the container's stdin though no client who had it went.

        conmon ends the stdin of a StdinOnce container with any connection; this one then stays, unread.
        """
        return self.zone.stdin_once and (self._detached or not self.stdin)

    def _read(self, client: Client) -> None:
        try:
            for asked in client.events():
                if asked.kind == DETACH:
                    self._detached = True
                    client.left.set()
                    return
                self._do(asked, client, self.hooked.get())
        except (ProtocolError, OSError):
            client.left.set()

    def _do(self, asked: Asked, client: Client, console: Console) -> None:
        if asked.kind == RESIZE:
            with suppress(TaskError):  # it ended just now
                resize_console(self.zone, *unpack_size(asked.data))
        elif asked.kind == STDIN and self.stdin:
            console.write(asked.data)
        elif asked.kind == STDIN_EOF and self.stdin:
            if self.zone.stdin_once and not self.zone.tty:
                console.close_input()
            else:  # Docker: where stdin outlives its writer, the session ends with it
                client.left.set()


def _pass_on(source: Packets, client: Client) -> None:
    with source:
        relay(source, client)


def attach(zone: Zone, command: dict[str, Any], framing: Framing) -> int:
    """Open a port for a session on the zone's console; returns the port.

    With frames it is answered at once, also before the zone starts. With lines the call blocks until the zone
    starts, at most 60 seconds, and its process is held until the client has connected.
    Raises TaskError VmNotRunning.
    """
    session = Attachment(zone, command, framing)
    if zone.running:
        return rendezvous(session.serve, session.abandon)
    if framing.binary:
        session.wait_for_start(session.hook)
        return rendezvous(session.serve, session.abandon)
    session.wait_for_start(session.hook_and_hold)
    gevent.wait([session.hooked, zone.started, session.given_up], timeout=BOOT_WITHIN, count=1)
    if not session.hooked.ready() and not zone.running:
        session.abandon()
        raise TaskError("VmNotRunning", f"VM {zone.uuid} did not start")
    return rendezvous(session.serve, session.abandon)
