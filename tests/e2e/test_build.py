"""The classic builder through the docker CLI: results, what fails, what is left, who sees it."""

from __future__ import annotations

import http.client
import io
import json
import socket
import subprocess
import tarfile

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker

CLASSIC = {"DOCKER_BUILDKIT": "0"}


@pytest.fixture(scope="module")
def ready(docker, tmp_path_factory):
    """An account that has built before: the scratch image is there, and the rules of its first container."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL first=1\n")
    env = {**docker.environ, **CLASSIC}
    subprocess.run(
        [docker.binary, "build", "-q", "-t", "first-build", str(folder)], env=env, check=True, capture_output=True
    )
    docker.ok("rmi", "first-build")


@pytest.fixture
def build(docker, tmp_path, ready):
    """Build a Dockerfile, with files beside it; returns what the CLI did."""

    def run(text: str, *args: str, files: dict[str, str] | None = None, client=docker, timeout=120):
        (tmp_path / "Dockerfile").write_text(text)
        for name, content in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        argv = [client.binary, "build", *args, str(tmp_path)]
        return subprocess.run(
            argv, capture_output=True, text=True, env={**client.environ, **CLASSIC}, timeout=timeout, check=False
        )

    yield run
    for ref in docker.ok("images", "-q", "--filter", "reference=e2e-build*").split():
        docker("rmi", "-f", ref)


def left(docker, running) -> tuple:
    """What a build could leave: containers, images, layers, nics, firewall rules."""
    nics = running.http("napi", "/nics")
    layers = {image["uuid"] for image in running.http("imgapi", "/images?state=all")}
    rules = running.http("fwapi", "/rules")
    return docker.ok("ps", "-aq"), docker.ok("images", "-aq"), layers, len(nics), len(rules)


def test_a_build_runs_caches_and_tags(docker, build):
    text = 'FROM busybox\nARG V=def\nRUN echo "$V" > /v; echo told; echo loud >&2\nCOPY sub /s\nCMD ["cat", "/v", "/s/f"]\n'
    first = build(text, "-t", "e2e-build:1", "-t", "e2e-build/other", "--build-arg", "V=given", files={"sub/f": "file"})
    assert first.returncode == 0, first.stderr
    for line in (
        "told",
        "loud",
        "Step 2/5 : ARG V=def",
        "Successfully tagged e2e-build:1",
        "Successfully tagged e2e-build/other:latest",
    ):
        assert line in first.stdout
    assert docker.ok("run", "--rm", "e2e-build:1") == "given\nfile"
    assert docker.inspect("e2e-build:1", "{{.Id}}") == docker.inspect("e2e-build/other", "{{.Id}}")
    again = build(text, "-q", "--build-arg", "V=given")
    assert again.stdout.strip() == docker.inspect("e2e-build:1", "{{.Id}}")
    assert build(text, "--build-arg", "V=given").stdout.count("Using cache") == 4
    assert "Using cache" not in build(text, "--no-cache").stdout
    mine = docker.inspect("e2e-build:1", "{{.Parent}}")
    assert docker.ok("builder", "prune", "-f") == "Total reclaimed space: 0B"
    assert mine in docker.ok("builder", "prune", "-af", "--filter", f"id={mine}")
    assert docker("image", "inspect", mine).returncode == 1
    assert docker.ok("run", "--rm", "e2e-build:1") == "given\nfile"
    assert build(text, "--build-arg", "V=given").stdout.count("Using cache") < 4
    rows = docker.ok("history", "--no-trunc", "--format", "{{.CreatedBy}}", "e2e-build:1")
    assert '|1 V=given /bin/sh -c echo "$V"' in rows
    assert docker.ok("ps", "-aq", "--filter", "name=build_") == ""


def test_stages_and_the_results_of_others(docker, build):
    text = (
        "FROM busybox AS one\nRUN echo art > /art\nFROM one\nFROM scratch\nCOPY --from=one /art /art\n"
        'COPY --from=busybox /bin/busybox /bin/cat\nCMD ["/bin/cat", "/art"]\n'
    )
    done = build(text, "-t", "e2e-build:stages")
    assert done.returncode == 0, done.stdout + done.stderr
    assert docker.ok("run", "--rm", "e2e-build:stages") == "art"


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("FROM busybox\nRUN echo once > /f\nRUN exit 42\n", "returned a non-zero code: 42", 42),
        ("FROM busybox\nRUN echo twice > /f\nCOPY none /x\n", "file not found in build context", 1),
        ("FROM busybox\nNOPE x\n", "unknown instruction: NOPE", 1),
        ("FROM no-such-image-here\n", "no-such-image-here", 1),
        ('FROM busybox\nRUN ["/none"]\n', "/none", 1),
    ],
)
def test_a_build_that_fails_says_why_and_leaves_nothing(docker, running, build, text, words, code):
    before = left(docker, running)
    done = build(text, "-t", "e2e-build:fails")
    assert done.returncode == code
    assert words in done.stderr + done.stdout
    assert left(docker, running) == before


def test_a_client_that_leaves_takes_its_build_along(docker, running, build, tmp_path):
    before = left(docker, running)
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 600\n")
    argv = [docker.binary, "build", "--no-cache", str(tmp_path)]
    client = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**docker.environ, **CLASSIC}
    )
    assert any(line == b"begun\n" for line in iter(client.stdout.readline, b""))
    client.kill()
    client.wait()
    wait_for(lambda: left(docker, running) == before)


def test_limits_network_and_hosts_are_those_of_the_steps(build):
    script = "ulimit -n; df /dev/shm | tail -1; grep here /etc/hosts; ls /sys/class/net; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
    options = [
        "--ulimit",
        "nofile=123:123",
        "--shm-size",
        "1m",
        "--add-host",
        "here:1.2.3.4",
        "--network",
        "none",
        "-m",
        "100m",
    ]
    done = build(f"FROM busybox\nRUN {script} || true\n", "--no-cache", *options)
    assert done.returncode == 0, done.stderr
    for line in ("123", "1024", "1.2.3.4\there", "104857600"):
        assert line in done.stdout
    assert "eth0" not in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--network", "host"), "network mode host"),
        (("--platform", "linux/s390x"), "s390x"),
        (("-t", "BAD"), "lowercase"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(docker, running, build, args, words):
    before = left(docker, running)
    done = build("FROM busybox\n", *args)
    assert done.returncode != 0
    assert words in done.stderr
    assert left(docker, running) == before


def test_accounts_build_apart(docker, running, build):
    bob = running.account("build-bob")
    assert build("FROM busybox\nRUN echo mine > /f\n", "-t", "e2e-build:mine").returncode == 0
    mine = docker.inspect("e2e-build:mine", "{{.Id}}")
    for base in ("e2e-build:mine", mine):
        failed = build(f"FROM {base}\n", client=bob)
        assert failed.returncode != 0
    copied = build(f"FROM scratch\nCOPY --from={mine} /f /f\n", client=bob)
    assert copied.returncode != 0
    assert bob.ok("images", "-aq") == ""
    assert bob.ok("ps", "-aq") == ""


def post(running, path: str, body: bytes) -> tuple[int, bytes]:
    """Ask over the unix socket, as scripts do."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    connection.sock.connect(str(running.instance.folder / "docker.sock"))
    connection.request("POST", path, body, {"Content-Type": "application/x-tar"})
    reply = connection.getresponse()
    return reply.status, reply.read()


def context(text: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"NOPE\n", 400),
        (b"", 400),
        (b"FROM busybox\nFROM --x busybox", 400),
        (b"\xff\xfe\x00FROM", 400),
        (b"FROM busybox\nRUN <<E\n", 400),
        (b"FROM busybox\nENV A=${B!}\n", 200),
        (b"FROM " + b"a" * 5000, 200),
        (b"FROM busybox\nCOPY [[ /\n", 200),
        (b"FROM busybox\nCOPY \xff /\n", 200),
        (b"FROM busybox\nEXPOSE 99999\n", 200),
        (b"FROM busybox\nUSER no-such-user\nRUN true\n", 200),
        (b"FROM busybox\nWORKDIR /etc/passwd/x\n", 200),
    ],
)
def test_no_dockerfile_is_answered_with_a_fault_of_the_server(docker, running, ready, text, status):
    before = left(docker, running)
    answered, lines = post(running, "/v1.41/build", context(text))
    assert answered == status, lines
    assert b"error" in lines or b"message" in lines
    assert b"Internal" not in lines and b"compute node failed" not in lines
    assert left(docker, running) == before


def test_a_context_that_is_none_is_refused(docker, running, ready):
    before = left(docker, running)
    for body in (b"no tar" * 200, b"\x1f\x8b broken", b""):
        status, answer = post(running, "/v1.41/build", body)
        assert status == 400, answer
    assert left(docker, running) == before


def test_buildkit_is_answered_with_advice(running):
    for path in ("/v1.41/build?version=2", "/session", "/grpc"):
        status, answer = post(running, path, b"")
        assert status == 501
        assert "DOCKER_BUILDKIT=0" in json.loads(answer)["message"]


def test_a_build_with_an_id_can_be_cancelled(docker, running, ready):
    before = left(docker, running)
    text = context(b"FROM busybox\nRUN echo begun; sleep 600\n")
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    connection.sock.connect(str(running.instance.folder / "docker.sock"))
    connection.request("POST", "/v1.41/build?nocache=1&buildid=mine", text, {"Content-Type": "application/x-tar"})
    reply = connection.getresponse()
    assert any(b"begun\\n" in line for line in iter(reply.readline, b""))
    assert post(running, "/v1.41/build/cancel?id=mine", b"")[0] in {200, 204}
    assert b"build canceled" in reply.read()
    wait_for(lambda: left(docker, running) == before)
    assert post(running, "/v1.41/build/cancel", b"")[0] == 400


def test_what_a_killed_gateway_was_building_is_taken_away(docker, running, build, tmp_path):
    before = left(docker, running)
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 600\n")
    argv = [docker.binary, "build", "--no-cache", str(tmp_path)]
    client = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**docker.environ, **CLASSIC}
    )
    assert any(line == b"begun\n" for line in iter(client.stdout.readline, b""))
    running.kill("gateway")
    client.wait(timeout=30)
    wait_for(lambda: left(docker, running) == before, 60)
