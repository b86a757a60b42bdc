"""Streams that lose a process on the way: the client sees an end, nothing hangs, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.contract.imgapi.fake_registry import serve, tar_of
from tests.e2e.conftest import wait_for
from tests.faults.points import Point

pytestmark = pytest.mark.docker
ENDING = 30.0
"""Seconds in which a client must have seen the end."""
SCRIPT = "echo up; while ! test -e /go; do sleep 0.1; done; echo done; exit 3"
WORKER = "worker"
SURVIVORS = ("services",)
"""Processes through which no stream goes."""


@pytest.fixture
def box(faulty):
    ref = faulty.docker.ok("run", "-d", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.2; done")
    yield ref
    faulty.docker("rm", "-f", ref)
    assert faulty.settle() == set()


def pids_of(faulty, victim: str) -> list[int]:
    """A process of the instance; ``worker`` is the gateway's, all those of the arbiter that ``gateway`` is."""
    if victim != WORKER:
        return [faulty.running.pid(victim)]
    arbiter = faulty.running.pid("gateway")
    found = subprocess.run(["pgrep", "-P", str(arbiter)], capture_output=True, check=True).stdout
    return [int(pid) for pid in found.split()]


def killed(faulty, box: str, victim: str) -> None:
    """Kill a process, ``node`` for that of the container's own, and wait until it is back."""
    if victim == "node":
        uuid = faulty.docker.inspect(box, "{{.Id}}")[:32]
        vms = faulty.running.http("vmapi", "/vms?state=running")
        server = next(vm["server_uuid"] for vm in vms if vm["uuid"].replace("-", "") == uuid)
        homes = faulty.running.instance.folder / "nodes"
        victim = f"node-{next(home.name for home in homes.iterdir() if (home / 'server_uuid').read_text() == server)}"
    for before in pids_of(faulty, victim):
        os.kill(before, signal.SIGKILL)
        wait_for(lambda pid=before: not os.path.exists(f"/proc/{pid}") or _is_zombie(pid))  # noqa: PTH110
    faulty.back()


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


def reading(faulty, *args: str) -> subprocess.Popen:
    """A client that has read its first line."""
    client = faulty.docker.start(*args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdout.readline().strip() in {b"up", b"tick"}
    return client


@pytest.mark.parametrize("victim", [WORKER, "gateway", "services", "node"])
def test_exec(faulty, box, victim):
    client = reading(faulty, "exec", box, "sh", "-c", SCRIPT)
    killed(faulty, box, victim)
    faulty.docker.ok("exec", box, "touch", "/go")
    _, errors = client.communicate(timeout=ENDING)
    assert (client.returncode == 3) == (victim in SURVIVORS), errors
    assert faulty.settle() == set()
    code = "255" if victim == "node" else "3"  # an agent that was restarted has forgotten its execs
    events = ("events", "--since", "5m", "--until", "0s", "--filter", "event=exec_die", "--filter", f"container={box}")
    template = "{{.Actor.Attributes.exitCode}}"
    wait_for(lambda: code in faulty.docker.ok(*events, "--format", template).split())
    assert faulty.docker.inspect(box, "{{.ExecIDs}}") == "[]"


@pytest.mark.parametrize("victim", [WORKER, "gateway", "services", "node"])
@pytest.mark.parametrize("stream", [("attach",), ("logs", "-f")], ids=lambda words: words[0])
def test_output(faulty, box, victim, stream):
    client = reading(faulty, *stream, box)
    killed(faulty, box, victim)
    assert faulty.docker.inspect(box, "{{.State.Status}}") == "running"
    if victim in SURVIVORS:
        assert client.stdout.readline() == b"tick\n"
        faulty.docker.ok("rm", "-f", box)
    client.communicate(timeout=ENDING)
    assert faulty.settle() == set()


@pytest.mark.parametrize("victim", [WORKER, "gateway", "services"])
def test_pull(faulty, victim):
    """Whatever became of a pull, the next one brings the image."""
    point = Point("services", "write images >|") if victim == "services" else Point("gateway", "imgapi POST /images >|")
    with serve() as registry:
        registry.image("faults/pulled", "1", [tar_of(name=victim.encode()), tar_of(two=b"2")])
        name = f"{registry.host}/faults/pulled:1"
        faulty.points.kill_at(point, str(faulty.running.pid("gateway")) if victim == "gateway" else "self")
        done = faulty.docker("pull", name, timeout=ENDING)
        assert faulty.points.fired(point)
        faulty.back()
        assert done.returncode != 0 or victim == "gateway"  # its workers may be at the end before they are ended
        assert faulty.settle() == set()
        faulty.docker.ok("pull", name)
        ref = faulty.docker.ok("create", name, "true")
        faulty.docker.ok("rm", ref)
        faulty.docker.ok("rmi", "-f", name)
    assert faulty.settle() == set()


@pytest.mark.parametrize("point", ["imgapi POST /images/* >|", "imgapi PUT /images/*/file >|", "write images >|"])
def test_import(faulty, point):
    """A layer that was not finished goes with the gateway that brought it."""
    faulty.points.kill_at(Point("gateway", point))
    done = faulty.docker("import", "-", "half:1", stdin=tar_of(half=point.encode()))
    assert faulty.points.fired(Point("gateway", point))
    faulty.back()
    assert done.returncode != 0
    assert faulty.settle() == set()
    faulty.docker.ok("import", "-", "half:1", stdin=tar_of(half=point.encode()))
    faulty.docker.ok("rmi", "half:1")
    assert faulty.settle() == set()


@pytest.mark.parametrize("place", ["cnapi POST /servers/*/tickets >|", "cnapi GET /tickets/*/wait >|"])
def test_a_copy_that_loses_its_gateway_keeps_nobody_waiting(faulty, box, place):
    """Its place in the waitlist is given back, long before it would expire."""
    faulty.points.kill_at(Point("gateway", place))
    faulty.docker("cp", f"{box}:/etc", "-", timeout=ENDING)
    assert faulty.points.fired(Point("gateway", place))
    faulty.back()
    faulty.docker.ok("rm", "-f", box, timeout=ENDING)
    assert faulty.settle() == set()


def test_a_client_that_is_killed_in_the_middle_of_a_create(faulty):
    """The container comes to be, whole, as if the client had waited."""
    held = Point("node", "task machine_create |>")
    faulty.points.kill_at(held, number=signal.SIGSTOP)
    client = faulty.docker.start("create", "--name", "left", "-p", "80", "-v", "/data", "busybox", "true")
    wait_for(lambda: faulty.points.fired(held))
    client.kill()
    client.wait()
    for number in range(3):
        os.kill(faulty.running.pid(f"node-{number}"), signal.SIGCONT)
    wait_for(lambda: faulty.docker("inspect", "-f", "{{.State.Status}}", "left").stdout == b"created\n")
    assert faulty.settle() == set()
    faulty.docker.ok("rm", "left")
    assert faulty.settle() == set()
