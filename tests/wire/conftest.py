from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_server import start, stop  # noqa: E402
from wire_client import make_identity  # noqa: E402


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """The worker under gunicorn, with TLS on a TCP port and a unix socket, serving live_app."""
    folder = tmp_path_factory.mktemp("live")
    make_identity(folder)
    live, process = start(folder)
    yield live
    stop(process)
