"""A whole instance of its own for the end-to-end tests: data center with three nodes, gateway, two accounts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.local.instance import ROOT, Instance

LETTERS = os.environ.get("TEST_INSTANCE") or "tuvwxyz"
PLACE = "gateway-e2e-"
"""What the names of instances' folders begin with."""


@dataclass
class Docker:
    """The real docker CLI, pointed at the gateway over TLS as one account."""

    host: str
    certs: Path | None = None
    binary: str = field(default_factory=lambda: shutil.which("docker") or "docker")

    @property
    def environ(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "REQUESTS_CA", "CURL_CA"))}
        config = Path(sys.prefix, "docker")  # tools/install.sh puts plugins there, and nothing else
        env |= {"DOCKER_HOST": self.host, "DOCKER_CLI_HINTS": "false", "DOCKER_CONFIG": str(config)}
        if self.certs:
            env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.certs)}
        return env

    def __call__(self, *args: str, stdin: bytes | None = None, timeout: float = 60) -> subprocess.CompletedProcess:
        source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [self.binary, *args], capture_output=True, env=self.environ, timeout=timeout, check=False, **source
        )

    def ok(self, *args: str, stdin: bytes | None = None, timeout: float = 60) -> str:
        """Run, insist on exit code 0, and return what was printed, without the last newline."""
        done = self(*args, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"docker {' '.join(args)}: {done.returncode} {done.stderr.decode()}"
        return done.stdout.decode().rstrip("\n")

    def start(self, *args: str, **popen) -> subprocess.Popen:
        return subprocess.Popen([self.binary, *args], env=self.environ, **popen)

    def inspect(self, ref: str, template: str) -> str:
        return self.ok("inspect", "-f", template, ref)


@dataclass
class Running:
    """A running instance and its doors."""

    instance: Instance
    environ: dict[str, str]

    def command(self, *args: str, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run ``docker-gateway`` on the instance."""
        argv = [sys.executable, "-m", "gateway.cli", *args]
        return subprocess.run(
            argv, capture_output=True, text=True, env=self.environ, cwd=ROOT, timeout=timeout, check=False
        )

    def http(self, service: str, path: str, method: str = "GET", body: object = None) -> object:
        """Call a service of the data center."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.instance.url(service) + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def pid(self, name: str) -> int:
        return int((self.instance.folder / "run" / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        """kill -9 a process of the instance and wait until its keeper has started it again."""
        old = self.pid(name)
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: self.pid(name) != old)
        assert self.command("up").returncode == 0

    def account(self, login: str, **attributes: object) -> Docker:
        """Make an account with its own key and certificates."""
        key = self.instance.folder / f"{login}-key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", login, "-f", str(key)], check=True)
        body = {"login": login, "ssh_public_key": key.with_suffix(".pub").read_text().strip(), **attributes}
        self.http("mahi", "/embedded/accounts", "POST", body)
        certs = self.instance.folder / f"{login}-certs"
        script = ["sh", str(ROOT / "tools/sdc-docker-setup.sh"), "-q", "-d", str(certs)]
        subprocess.run([*script, self.instance.url("cloudapi"), login, str(key)], check=True, capture_output=True)
        return Docker(self.instance.docker_url, certs)


def wait_for(check, seconds: float = 20.0):
    """Return what ``check`` gives once it is true; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < end, f"not true within {seconds:g} s"
        time.sleep(0.1)


def free_letter() -> str:
    """The first letter whose ports nobody listens on, and of which nothing is left on this machine."""
    for letter in LETTERS:
        if _left_of(letter):
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", Instance.of({"INSTANCE": letter}).docker_port)):
                return letter
    raise RuntimeError(f"all instances of {LETTERS} are in use")


def _left_of(letter: str) -> list[Path]:
    """The interfaces and cgroups of an instance, be it alive or dead."""
    links = [link for kind in ("tdg", "tv") for link in Path("/sys/class/net").glob(f"{kind}{letter}*")]
    return [*links, *Path("/sys/fs/cgroup").glob(f"**/tdg-{letter}-*")]


def _take_down_the_dead() -> None:
    """Take down the instances of runs that were killed: ours would be blamed for what they left on the machine."""
    for place in Path(tempfile.gettempdir()).glob(f"{PLACE}*"):
        if _maker_lives(place):
            continue
        told = place / "var" / "datacenter.json"
        if told.exists():
            letter = json.loads(told.read_text())["instance"]
            environ = {**os.environ, "INSTANCE": letter, "INSTANCE_FOLDER": str(told.parent), "PYTHONPATH": str(ROOT)}
            Running(Instance.of(environ), environ).command("down")
        shutil.rmtree(place, ignore_errors=True)


def _maker_lives(place: Path) -> bool:
    """Whether the run of tests that made a place still goes on; so has one that has only just begun."""
    try:
        return b"pytest" in Path("/proc", (place / "maker").read_text(), "cmdline").read_bytes()
    except OSError:
        return time.time() - place.stat().st_mtime < 1.0


@contextmanager
def instance_up(nodes: int, **more: str) -> Iterator[Running]:
    """Bring an instance up, and take it down with everything that it made."""
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    _take_down_the_dead()
    place = Path(tempfile.mkdtemp(prefix=PLACE))
    (place / "maker").write_text(str(os.getpid()))
    folder = place / "var"
    facts = {"INSTANCE": free_letter(), "COMPUTE_NODES": str(nodes), "INSTANCE_FOLDER": str(folder), "ACCOUNT": "alice"}
    environ = {**os.environ, **facts, "PYTHONPATH": str(ROOT), **more}
    instance = Instance.of(environ)
    running = Running(instance, environ)
    came = running.command("up")
    try:
        logs = {p.name: p.read_text()[-2000:] for p in (folder / "log").glob("*.log")}
        assert came.returncode == 0, f"{came.stdout}{came.stderr}{logs}"
        yield running
    finally:
        went = running.command("down")
        assert went.returncode == 0, went.stdout + went.stderr
        shutil.rmtree(place)


@pytest.fixture(scope="session")
def host_folder(tmp_path_factory) -> Path:
    """A folder of this machine that alice's containers may have."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="session")
def running(host_folder):
    with instance_up(3, HOST_BINDS=str(host_folder)) as running:
        yield running


@pytest.fixture(scope="session")
def docker(running) -> Docker:
    """The docker CLI as alice, over TLS."""
    return Docker(running.instance.docker_url, running.instance.folder / "certs")


@pytest.fixture
def container(docker):
    """Start containers that are gone after the test: ``container("sleep", "60", "--name", ...)`` is not needed."""
    made: list[str] = []

    def run(*args: str) -> str:
        made.append(docker.ok("run", "-d", *args))
        return made[-1]

    yield run
    for ref in made:
        docker("rm", "-f", ref)


@pytest.fixture
def network(docker):
    """Make networks; they are gone after the test."""
    made = []

    def make(name, *options):
        made.append(name)
        return docker.ok("network", "create", *options, name)

    yield make
    for name in made:
        docker("network", "rm", name)
