"""Exec and the streams of containers: exec, attach, logs, resize."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from gateway.errors import InvalidParameter
from gateway.wire import websocket
from translators.containers import attach, logs
from translators.containers import execs as use

execs = Resource("execs")


@execs.handles("exec.create", model=use.ExecCreate)
def exec_create(call: Call) -> Reply:
    return Reply(status=201, body={"Id": use.create(call, call.target["id"], call.body)})


@execs.handles("exec.start", model=use.ExecStart)
def exec_start(call: Call) -> Reply:
    return use.start(call, call.target["id"], call.body) or Reply(status=200)


@execs.handles("exec.inspect")
def exec_inspect(call: Call) -> Reply:
    return Reply(body=use.inspect(call, call.target["id"]))


@execs.handles("exec.resize")
def exec_resize(call: Call) -> Reply:
    use.resize(call, call.target["id"], *attach.size(call))
    return Reply(status=200)


@execs.handles("container.attach")
def container_attach(call: Call) -> Reply:
    return attach.attach(call, call.target["id"])


@execs.handles("container.attach.websocket")
def container_attach_websocket(call: Call) -> Reply:
    problem = websocket.refusal(call.headers)
    if problem:
        raise InvalidParameter(problem)
    return attach.attach_websocket(call, call.target["id"])


@execs.handles("container.logs")
def container_logs(call: Call) -> Reply:
    return logs.logs(call, call.target["id"])


@execs.handles("container.resize")
def container_resize(call: Call) -> Reply:
    attach.resize(call, call.target["id"])
    return Reply(status=200)
