"""Wrong settings stop the start with one sentence; right ones begin with as many descriptors as there may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONF = Path(__file__).parents[3] / "conf" / "gunicorn.py"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("bogus = 3", "Object contains unknown field `bogus`"),
        ("not toml [", "Expected '=' after a key"),
        ('chain = ["request_ids"]', "there is no middleware 'request_ids'"),
        ("[middleware.audit]\nbodies = 5", "middleware.audit"),
    ],
)
def test_wrong_settings_stop_the_start_with_one_sentence(tmp_path, settings, sentence):
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'listen = ["unix://{tmp_path}/socket"]\nstate_dir = "{tmp_path}"\ntls = {{enabled = false}}\n{settings}'
    )
    one = {"GATEWAY_WORKERS": "1"}  # gunicorn adds a traceback of its own when two end at the same moment
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", str(CONF)],
        env={**os.environ, "GATEWAY_CONFIG": str(file), "PYTHONPATH": str(CONF.parents[1]), **one},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("docker-gateway: ") and sentence in line]


def test_streams_have_all_the_descriptors_that_the_machine_allows(tmp_path):
    looking = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256));"
        f"runpy.run_path({str(CONF)!r}); print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", looking],
        env={**os.environ, "GATEWAY_TLS__ENABLED": "false", "PYTHONPATH": str(CONF.parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["256", "256"]
