"""Starting and stopping the worker under gunicorn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from wire_client import Live

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(folder: Path, **environ: str) -> tuple[Live, subprocess.Popen[bytes]]:
    live = Live(folder, tls_port=free_port(), unix_path=str(folder / "s.sock"))
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "tests/wire/live_conf.py")],
        cwd=ROOT,
        env={
            **os.environ,
            "GATEWAY_LISTEN": f'["tcp://127.0.0.1:{live.tls_port}", "unix://{live.unix_path}"]',
            "GATEWAY_TLS__CERTIFICATE": str(folder / "cert.pem"),
            "GATEWAY_TLS__KEY": str(folder / "key.pem"),
            **environ,
        },
        stderr=(folder / "log").open("wb"),
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with live.unix() as client:
                if client.get("/_ping").body == b"OK":
                    return live, process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError((folder / "log").read_text())


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(20)
