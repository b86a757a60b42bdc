"""The client of a node's agent against sockets that misbehave."""

from __future__ import annotations

import gevent
import msgspec
import pytest
from gevent import socket
from gevent.server import StreamServer

from datacenter.services.cnapi import agent as agent_module
from datacenter.services.cnapi.agent import Agent
from datacenter.workflow.failure import TaskError


class Script:
    """An agent that answers each request by the next line of a script; None hangs up without an answer."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.seen = []
        self.connections = 0
        self.server = StreamServer(("127.0.0.1", 0), self.serve)
        self.server.start()
        self.agent = Agent("server-1", "127.0.0.1", self.server.server_port)

    def serve(self, sock, address):
        self.connections += 1
        with sock, sock.makefile("rb") as reader:
            while head := b"".join(iter(reader.readline, b"\r\n")) if reader.peek(1) else b"":
                length = int(
                    next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))[15:]
                )
                self.seen.append((head.decode().lower(), msgspec.json.decode(reader.read(length))))
                answer = self.lines.pop(0)
                if answer is None:
                    return
                status, body = answer
                text = msgspec.json.encode(body)
                sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text))
                if body == "last":
                    return


@pytest.fixture
def script():
    made = []

    def make(*lines):
        made.append(Script(*lines))
        return made[-1]

    yield make
    for one in made:
        one.server.stop(timeout=0)


def test_result_and_headers(script):
    node = script((200, {"vm": {"state": "running"}}))
    assert node.agent.task("machine_boot", {"uuid": "u"}, timeout=5, request_id="r1") == {"vm": {"state": "running"}}
    head, body = node.seen[0]
    assert head.startswith("post /tasks http/1.1")
    assert "x-server-uuid: server-1" in head
    assert "x-request-id: r1" in head
    assert body == {"task": "machine_boot", "params": {"uuid": "u"}}


def test_connections_are_kept(script):
    node = script(*[(200, {})] * 3)
    for _ in range(3):
        node.agent.task("machine_load", {}, timeout=5)
    assert node.connections == 1


def test_a_connection_closed_meanwhile_is_not_used_again(script):
    node = script((200, "last"), (200, {}))
    node.agent.task("docker_exec", {}, timeout=5)
    gevent.sleep(0.01)
    assert node.agent.task("docker_exec", {}, timeout=5) == {}
    assert node.connections == 2


def test_the_nodes_own_errors(script):
    node = script((500, {"error": "not running", "details": {"restCode": "VmNotRunning"}}), (500, {"error": "boom"}))
    with pytest.raises(TaskError, match="not running") as caught:
        node.agent.task("machine_kill", {}, timeout=5)
    assert (caught.value.rest_code, caught.value.status) == ("VmNotRunning", None)
    with pytest.raises(TaskError) as caught:
        node.agent.task("machine_kill", {}, timeout=5)
    assert caught.value.rest_code == "InternalError"


def test_a_task_that_finds_its_traces_is_sent_again(script):
    node = script(None, (200, {"vm": {}}))
    assert node.agent.task("machine_boot", {}, timeout=5) == {"vm": {}}
    assert len(node.seen) == 2


@pytest.mark.parametrize("task", ["docker_exec", "machine_kill", "machine_reboot"])
def test_a_task_that_does_not_is_not(script, task):
    node = script(None)
    with pytest.raises(TaskError) as caught:
        node.agent.task(task, {}, timeout=5)
    assert caught.value.rest_code == "ServerUnreachable"
    assert len(node.seen) == 1


def test_an_agent_that_is_away_is_waited_for(script):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    agent = Agent("s", "127.0.0.1", port)
    waiting = gevent.spawn(agent.task, "docker_exec", {}, timeout=5)
    gevent.sleep(0.03)
    node = script((200, {"late": True}))
    late = StreamServer(("127.0.0.1", port), node.serve)
    late.start()
    assert waiting.get(timeout=5) == {"late": True}
    late.stop(timeout=0)


def test_patience_ends(monkeypatch):
    monkeypatch.setattr(agent_module, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(TaskError) as caught:
        Agent("s", "127.0.0.1", port).task("machine_load", {}, timeout=5)
    assert caught.value.rest_code == "ServerUnreachable"


def test_no_answer_in_time():
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(TaskError) as caught:
        Agent("s", "127.0.0.1", deaf.getsockname()[1]).task("machine_load", {}, timeout=0.05)
    assert caught.value.rest_code == "TaskTimeout"


def test_nonsense(script):
    node = script((200, None))
    assert node.agent.task("machine_load", {}, timeout=5) == {"result": None}
