"""Stats through the docker CLI, and as the API gives them."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.conftest import Docker

pytestmark = pytest.mark.docker

BUSY = "while :; do :; done"


def curl(docker: Docker, path: str, *options: str) -> list[str]:
    """The command that asks the API itself, with the account's certificate."""
    certs = docker.certs
    tls = ["--cacert", f"{certs}/ca.pem", "--cert", f"{certs}/cert.pem", "--key", f"{certs}/key.pem"]
    return ["curl", "-sS", *tls, *options, docker.host.replace("tcp://", "https://") + path]


def api(docker: Docker, path: str) -> str:
    return subprocess.run(curl(docker, path), capture_output=True, text=True, timeout=30, check=True).stdout


def test_the_cli_shows_a_busy_container(docker, container):
    name = container("busybox", "sh", "-c", BUSY)
    shown = docker.ok("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", name)
    assert float(shown.split("%")[0]) > 5
    assert shown.endswith(" 1")
    docker.ok("kill", name)


def test_live_stats_go_on_until_the_client_leaves(docker, container):
    name = container("busybox", "sleep", "600")
    client = docker.start("stats", "--format", "{{.Name}}", name, stdout=subprocess.PIPE)
    try:
        lines = [client.stdout.readline() for _ in range(3)]
    finally:
        client.kill()
        client.stdout.close()
        client.wait()
    assert all(lines)


def test_two_samples_or_one(docker, container):
    name = container("busybox", "sleep", "600")
    two = json.loads(api(docker, f"/v1.44/containers/{name}/stats?stream=false"))
    assert two["cpu_stats"]["system_cpu_usage"] > two["precpu_stats"]["system_cpu_usage"] > 0
    assert two["id"] == name
    assert two["cpu_stats"]["online_cpus"] >= 1
    assert set(two["networks"]) == {"eth0"}
    assert two["memory_stats"]["usage"] > 0
    one = json.loads(api(docker, f"/v1.44/containers/{name}/stats?stream=false&one-shot=true"))
    assert one["preread"].startswith("0001-")
    refused = json.loads(api(docker, f"/v1.44/containers/{name}/stats?one-shot=true"))
    assert refused == {"message": "cannot have stream=true and one-shot=true"}


def test_a_container_that_does_not_run_has_zeros_and_its_stream_ends_with_it(docker):
    docker.ok("create", "--name", "stats-idle", "busybox", "sleep", "600")
    zeros = json.loads(api(docker, "/v1.44/containers/stats-idle/stats?stream=false"))
    assert zeros["read"].startswith("0001-")
    assert zeros["memory_stats"] == {}
    assert zeros["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert "0.00%" in docker.ok("stats", "--no-stream", "stats-idle")
    stream = subprocess.Popen(curl(docker, "/v1.44/containers/stats-idle/stats", "-N"), stdout=subprocess.PIPE)
    assert json.loads(stream.stdout.readline())["read"].startswith("0001-")
    docker.ok("start", "stats-idle")
    while json.loads(stream.stdout.readline())["read"].startswith("0001-"):
        pass
    docker.ok("rm", "-f", "stats-idle")
    stream.communicate(timeout=30)
    assert stream.returncode == 0
