"""Calls of the services by nodes: a service that restarts is met again with the next call."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datacenter.node.service import Service


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Serving:
    """A service on one port, that is taken away with all its connections and comes back."""

    def __init__(self):
        self.port, self._sockets = 0, []
        self.come()

    def come(self):
        sockets = self._sockets

        class Handler(Answering):
            def setup(self):
                sockets.append(self.request)
                super().setup()

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def go(self):
        self._server.shutdown()
        self._server.server_close()
        for one in self._sockets:
            with suppress(OSError):  # it has gone already
                one.shutdown(socket.SHUT_RDWR)


def test_a_service_that_was_away_answers_the_first_call_when_it_is_back():
    serving = Serving()
    service = Service(f"http://127.0.0.1:{serving.port}")
    assert service.call("GET", "/ping") == {}
    serving.go()
    with pytest.raises(ConnectionError):
        service.call("GET", "/ping")
    serving.come()
    assert service.call("GET", "/ping") == {}
    serving.go()
    service.close()
