"""gunicorn's settings for the live tests: those of conf/gunicorn.py, with another application."""

from __future__ import annotations

import os
import runpy
import signal
from pathlib import Path

_real = runpy.run_path(str(Path(__file__).parents[2] / "conf" / "gunicorn.py"))
globals().update({name: value for name, value in _real.items() if not name.startswith("_")})
wsgi_app = os.environ.get("LIVE_APP", "live_app:app")
pythonpath = str(Path(__file__).parent)
workers = 1  # tests ask one process what it has seen


def pre_fork(server, worker):
    _real["pre_fork"](server, worker)
    worker.handshake_timeout = 1.0


def post_fork(server, worker):
    """Stop the first worker before it listens to signals, when a test asks for it."""
    marker = os.environ.get("LIVE_STOP_AT_FORK")
    if marker and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGTERM)
