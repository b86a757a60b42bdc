"""kill -9 of any process loses no container and no record."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("process", ["gateway", "services", "node-0", "node-1", "node-2"])
def test_what_was_running_still_runs(running, docker, process):
    refs = [
        docker.ok("run", "-d", "busybox", "sh", "-c", f"echo up{n}; sleep 2; echo on{n}; sleep 600") for n in range(3)
    ]
    ending = docker.ok("run", "-d", "busybox", "sh", "-c", "sleep 2; exit 9")
    try:
        running.kill(process)
        assert docker.ok("wait", ending) == "9"
        for number, ref in enumerate(refs):
            assert docker.inspect(ref, "{{.State.Status}}") == "running"
            wait_for(lambda ref=ref, number=number: f"on{number}" in docker.ok("logs", ref))
            assert docker.ok("exec", ref, "echo", "alive") == "alive"
        docker.ok("stop", "-t", "0", refs[0])
        assert docker.inspect(refs[0], "{{.State.ExitCode}}") == "137"
    finally:
        docker("rm", "-f", *refs, ending)
