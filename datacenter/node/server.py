"""The task server: ``POST /tasks`` on loopback, as cn-agent has it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec
from gevent.pywsgi import WSGIServer

from datacenter.handler import Handler
from datacenter.node.tasks import TaskError

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
STATUS = {200: "200 OK", 404: "404 Not Found", 409: "409 Conflict", 500: "500 Internal Server Error"}


class _Request(msgspec.Struct):
    task: str
    params: dict[str, Any] = {}


class Runner(Protocol):
    """A node, as far as its task server cares."""

    def run(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a task to its end. Raises TaskError."""


def application(nodes: Mapping[str, Runner]) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The WSGI callable: one route and a ping. ``nodes`` by server uuid; a request may leave the only one unnamed."""
    only = next(iter(nodes)) if len(nodes) == 1 else ""

    def answer(environ: dict[str, Any]) -> tuple[int, Any]:
        where = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if where == ("GET", "/ping"):
            return 200, {"ready": True}
        if where != ("POST", "/tasks"):
            return 404, {"error": "not found", "details": {"restCode": "ResourceNotFound"}}
        wanted = environ.get("HTTP_X_SERVER_UUID") or only
        if wanted not in nodes:
            return 404, {"error": f"this is not server {wanted}", "details": {"restCode": "ServerNotFound"}}
        try:
            request = msgspec.json.decode(environ["wsgi.input"].read(), type=_Request)
            return 200, nodes[wanted].run(request.task, request.params)
        except msgspec.DecodeError as error:
            return 409, {"error": str(error), "details": {"restCode": "InvalidArgument"}}
        except TaskError as error:
            return 500, {**error.body(), "req_id": environ.get("HTTP_X_REQUEST_ID")}

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, result = answer(environ)
        body = msgspec.json.encode(result)
        start_response(STATUS[status], [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app


def serve(port: int, nodes: Mapping[str, Runner]) -> None:
    """Serve tasks for ever. To be called when the nodes have taken up their zones: only now the port opens."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    listener.setblocking(False)
    WSGIServer(listener, application(nodes), log=None, handler_class=Handler).serve_forever()
