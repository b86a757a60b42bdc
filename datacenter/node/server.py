"""The task server: ``POST /tasks`` on loopback, as cn-agent has it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from gevent.pywsgi import WSGIServer

from datacenter.node.agent import Node
from datacenter.node.tasks import TaskError

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
STATUS = {200: "200 OK", 404: "404 Not Found", 409: "409 Conflict", 500: "500 Internal Server Error"}


class _Request(msgspec.Struct):
    task: str
    params: dict[str, Any] = {}


def application(node: Node) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The WSGI callable: one route and a ping."""
    server_uuid = node.home.server_uuid()

    def answer(environ: dict[str, Any]) -> tuple[int, Any]:
        where = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if where == ("GET", "/ping"):
            return 200, {"ready": True}
        if where != ("POST", "/tasks"):
            return 404, {"error": "not found", "details": {"restCode": "ResourceNotFound"}}
        wanted = environ.get("HTTP_X_SERVER_UUID") or server_uuid
        if wanted != server_uuid:
            return 404, {"error": f"this is not server {wanted}", "details": {"restCode": "ServerNotFound"}}
        try:
            request = msgspec.json.decode(environ["wsgi.input"].read(), type=_Request)
            return 200, node.run(request.task, request.params)
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


def serve(node: Node) -> None:
    """Serve tasks for ever. The port opens only now, when the node has taken up its zones."""
    listener = socket.create_server(("127.0.0.1", node.home.settings.node_port(node.home.number)), backlog=256)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    listener.setblocking(False)
    WSGIServer(listener, application(node), log=None).serve_forever()
