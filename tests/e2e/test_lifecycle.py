"""What happens to containers after they were made."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker

TRAP = "trap 'exit 21' TERM; echo ready; while :; do sleep 0.1; done"


def ready(docker, ref):
    wait_for(lambda: "ready" in docker.ok("logs", ref))


def test_stop_sends_the_signal_and_keeps_the_code(docker, container):
    ref = container("busybox", "sh", "-c", TRAP)
    ready(docker, ref)
    docker.ok("stop", ref)
    assert docker.inspect(ref, "{{.State.Status}} {{.State.ExitCode}}") == "exited 21"
    docker.ok("stop", ref)


def test_stop_kills_after_the_grace_time(docker, container):
    ref = container("busybox", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    ready(docker, ref)
    docker.ok("stop", "-t", "1", ref)
    assert docker.inspect(ref, "{{.State.ExitCode}}") == "137"


def test_kill_and_wait(docker, container):
    ref = container("busybox", "sleep", "100")
    waiting = docker.start("wait", ref, stdout=-1)
    time.sleep(0.3)
    docker.ok("kill", ref)
    assert waiting.communicate(timeout=20)[0] == b"137\n"
    assert docker("kill", ref).returncode == 1
    assert docker.ok("wait", ref) == "137"


def test_kill_with_another_signal(docker, container):
    ref = container("busybox", "sh", "-c", TRAP.replace("TERM", "HUP"))
    ready(docker, ref)
    docker.ok("kill", "-s", "HUP", ref)
    assert docker.ok("wait", ref) == "21"


def test_start_again_and_restart(docker, container):
    ref = container("busybox", "sh", "-c", "echo boot; sleep 100")
    docker.ok("stop", "-t", "0", ref)
    docker.ok("start", ref)
    docker.ok("start", ref)
    docker.ok("restart", "-t", "0", ref)
    assert docker.inspect(ref, "{{.State.Status}}") == "running"
    wait_for(lambda: docker.ok("logs", ref).count("boot") == 3)


def test_rename(docker, container):
    ref = container("--name", "old-name", "busybox", "sleep", "60")
    docker.ok("rename", "old-name", "new-name")
    assert docker.inspect(ref, "{{.Name}}") == "/new-name"
    assert docker("inspect", "old-name").returncode == 1


def test_a_running_container_is_not_removed_without_force(docker, container):
    ref = container("busybox", "sleep", "60")
    done = docker("rm", ref)
    assert done.returncode == 1
    assert b"container is running" in done.stderr
    docker.ok("rm", "-f", ref)
    assert docker("inspect", ref).returncode == 1


def test_create_then_start_attached(docker):
    ref = docker.ok("create", "-i", "busybox", "sh", "-c", "cat; exit 6")
    done = docker("start", "-ai", ref, stdin=b"given\n")
    assert (done.returncode, done.stdout) == (6, b"given\n")
    docker.ok("rm", ref)


def test_attach_sees_output_and_the_code(docker, container):
    ref = container("busybox", "sh", "-c", "sleep 2; echo late; exit 8")
    done = docker("attach", ref)
    assert (done.returncode, done.stdout) == (8, b"late\n")


def test_filters(docker):
    made = [docker.ok("create", "--name", f"f-{n}", "--label", f"n={n}", "busybox", "true") for n in range(3)]
    docker.ok("start", "-a", made[0])
    ids = lambda *filters: docker.ok("ps", "-aq", "--no-trunc", *filters).splitlines()  # noqa: E731
    assert ids("-f", "label=n=1") == [made[1]]
    assert ids("-f", "name=f-2") == [made[2]]
    assert ids("-f", "status=exited", "-f", "label=n") == [made[0]]
    assert ids("-f", f"since={made[1]}", "-f", "label=n") == [made[2]]
    assert ids("-f", f"before={made[1]}", "-f", "label=n") == [made[0]]
    assert ids("-f", f"id={made[2][:20]}") == [made[2]]
    assert docker("ps", "-f", "nonsense=1").returncode == 1
    docker.ok("rm", *made)


def test_inspect_shows_what_was_asked_for(docker, container):
    ref = container("--name", "seen", "-m", "64m", "-e", "X=1", "--label", "l=v", "busybox", "sleep", "60")
    seen = json.loads(docker.ok("inspect", "seen"))[0]
    assert seen["Id"] == ref
    assert (seen["Path"], seen["Args"]) == ("sleep", ["60"])
    assert seen["HostConfig"]["Memory"] == 64 * 1024 * 1024
    assert "X=1" in seen["Config"]["Env"]
    assert seen["Config"]["Labels"]["l"] == "v"
    networks = list(seen["NetworkSettings"]["Networks"].values())
    assert networks[0]["IPAddress"]


def test_top(docker, container):
    ref = container("busybox", "sleep", "123")
    assert "sleep 123" in docker.ok("top", ref)


def test_logs(docker, container):
    ref = container("busybox", "sh", "-c", "seq 1 100; sleep 0.2; echo err >&2")
    docker.ok("wait", ref)
    done = docker("logs", ref)
    assert (len(done.stdout.splitlines()), done.stderr) == (100, b"err\n")
    assert docker.ok("logs", "--tail", "3", ref).split() == ["99", "100"]
    stamped = docker.ok("logs", "-t", "--tail", "2", ref)
    assert stamped.startswith("20")


def test_logs_follow_until_the_end(docker, container):
    ref = container("busybox", "sh", "-c", "for i in 1 2 3; do echo l$i; sleep 0.5; done")
    assert docker.ok("logs", "-f", ref).split() == ["l1", "l2", "l3"]


def test_info_tells_where_we_are(docker, running):
    info = json.loads(docker.ok("info", "--format", "{{json .}}"))
    assert info["Driver"] == "sdc"
    assert ["SDCAccount", "alice"] in info["DriverStatus"]
    assert info["OperatingSystem"] == "SmartDataCenter"
    assert info["Name"] == running.instance.datacenter
    assert info["NCPU"] > 0
    assert info["MemTotal"] > 0
    assert info["Containers"] >= info["ContainersRunning"]
