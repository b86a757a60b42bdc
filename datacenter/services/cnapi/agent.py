"""The way to a compute node's agent: ``POST /tasks`` over kept-alive connections."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Any

import gevent
import gevent.socket
import msgspec

from datacenter.workflow.failure import TaskError

REPEATABLE = frozenset(
    {
        "fw_update",
        "image_ensure_present",
        "machine_boot",
        "machine_create",
        "machine_destroy",
        "machine_load",
        "machine_proc",
        "server_sysinfo",
        "machine_reprovision",
        "machine_rollback_snapshot",
        "machine_shutdown",
        "machine_update",
    },
)
"""Tasks that find their own traces, so that they are sent again when the agent died while it worked on them."""
ONCE_FOR_EACH_JOB = frozenset({"machine_reboot"})
"""Tasks of which agents keep in mind the ``job`` that they did them for."""
PATIENCE = 15.0
"""Seconds for which an agent may be away, as it is while it restarts, before its tasks fail."""
IDLE_LIMIT = 16
"""Connections kept open to one agent."""


class _Connection(http.client.HTTPConnection):
    """Sockets of gevent's own, so that the client waits green in every process."""

    def connect(self) -> None:
        self.sock = gevent.socket.create_connection((self.host, self.port), timeout=5.0)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def is_stale(self) -> bool:
        """Whether the agent has closed this idle connection: there is something to read where nothing should be."""
        assert self.sock is not None
        self.sock.settimeout(0)
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


class Agent:
    """One compute node's agent."""

    def __init__(self, server_uuid: str, host: str, port: int) -> None:
        self._server_uuid = server_uuid
        self._host = host
        self.port = port
        self._idle: list[_Connection] = []

    def task(self, name: str, params: dict[str, Any], *, timeout: float, request_id: str = "") -> dict[str, Any]:
        """Run a task on the node and return its finish event's result.

        Waits up to PATIENCE for an agent that is away. Raises TaskError: the node's own rest code, or
        ``ServerUnreachable``, or ``TaskTimeout`` when the node does not answer within ``timeout`` seconds.
        """
        body = msgspec.json.encode({"task": name, "params": params})
        headers = {
            "content-type": "application/json",
            "x-server-uuid": self._server_uuid,
            "x-request-id": request_id,
        }
        deadline: float | None = None
        pause = 0.02
        while True:
            try:
                status, answer = self._post(body, headers, timeout)
            except TimeoutError as error:
                raise TaskError("TaskTimeout", f"{name}: no answer within {timeout:.0f} seconds") from error
            except (_Unsent, OSError, http.client.HTTPException) as error:
                deadline = deadline or time.monotonic() + min(PATIENCE, timeout)
                repeatable = name in REPEATABLE or (name in ONCE_FOR_EACH_JOB and "job" in params)
                if time.monotonic() > deadline or not (repeatable or isinstance(error, _Unsent)):
                    raise TaskError("ServerUnreachable", f"{name}: compute node is unreachable") from error
            else:
                return _read(name, status, answer)
            gevent.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _post(self, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, bytes]:
        connection = self._open()
        assert connection.sock is not None
        kept = False
        try:
            connection.sock.settimeout(timeout)
            connection.request("POST", "/tasks", body, headers)
            response = connection.getresponse()
            answer = response.read()
            kept = not response.will_close and len(self._idle) < IDLE_LIMIT
            return response.status, answer
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _open(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale():
                return connection
            connection.close()
        connection = _Connection(self._host, self.port)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise _Unsent from error
        return connection


class _Unsent(Exception):
    """No connection: the agent has heard nothing of the task."""


def _read(name: str, status: int, answer: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(answer) if answer.strip() else {}
    except msgspec.DecodeError as error:
        raise TaskError("InternalError", f"{name}: compute node answered nonsense") from error
    if status == 200:
        return decoded if isinstance(decoded, dict) else {"result": decoded}
    told = decoded if isinstance(decoded, dict) else {}
    details = told.get("details") or {}
    code = str(details.get("restCode") or "InternalError")
    raise TaskError(code, str(told.get("error") or f"{name} failed"), details.get("statusCode"))
