"""How gunicorn serves the gateway; every value an operator may change comes from gateway.settings."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

from gateway import settings as _settings
from gateway.wire.certificate import ensure_server_certificate
from gateway.wire.tls import server_context

try:
    _chosen = _settings.load()
except ValueError as _error:
    sys.exit(f"docker-gateway: {_error}")
_tls = None
if _chosen.tls.enabled:
    _pair = Path(_chosen.tls.certificate), Path(_chosen.tls.key)
    ensure_server_certificate(*_pair, _chosen.tls.names)
    _tls = server_context(*_pair)

_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))  # as dockerd does: a stream takes two, and 1024 is usual

wsgi_app = "gateway.app:application()"
bind = [address.removeprefix("tcp://").replace("unix://", "unix:", 1) for address in _chosen.listen]
umask = 0o117  # unix sockets are for root and its group

worker_class = "gateway.wire.worker.Worker"
workers = _chosen.workers
worker_connections = 4000  # attach, logs and events hold theirs for hours
keepalive = 75
timeout = 60
graceful_timeout = 600  # what streams get to end by themselves when a worker is told to stop
max_requests = 0  # a worker that restarts at random cuts its streams
preload_app = False

limit_request_line = 0  # gateway.wire.http1 has its own limit: gunicorn allows 8190 bytes at most
limit_request_field_size = 65536  # X-Registry-Config carries whole credential stores
secure_scheme_headers: dict[str, str] = {}  # nobody but the worker says what the scheme is
forwarder_headers = ""
sendfile = False
control_socket_disable = True


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the TLS context that was read once, before any fork, and what signals it may get too early."""
    worker.tls = _tls
    worker.noted = server.SIG_QUEUE
