"""Lives that go on, rest, change and are swept away: restarts, health, pause, update, prune."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


def test_on_failure_restarts_as_often_as_asked(docker, container):
    ref = container("--restart", "on-failure:2", "busybox", "sh", "-c", "echo try; exit 4")
    wait_for(lambda: docker.inspect(ref, "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}") == "2 exited 4")
    assert docker.ok("logs", ref) == "try\ntry\ntry"


def test_a_container_waits_for_its_restart_until_it_is_stopped(docker, container):
    ref = container("--restart", "always", "busybox", "sh", "-c", "exit 3")
    wait_for(lambda: docker.ok("ps", "-f", f"id={ref}", "--format", "{{.Status}}").startswith("Restarting (3) "))
    assert ": stop the container before removing" in docker("rm", ref).stderr.decode()
    docker.ok("stop", ref)
    assert docker.inspect(ref, "{{.State.Status}} {{.State.Running}}") == "exited false"


def test_policies_outlive_the_node_agent(running, docker, container):
    ref = container("--restart", "unless-stopped", "busybox", "sh", "-c", "sleep 0.3")
    stopped = container("--restart", "unless-stopped", "busybox", "sleep", "100")
    docker.ok("stop", "-t", "0", stopped)
    for number in range(3):
        running.kill(f"node-{number}")
    before = int(docker.inspect(ref, "{{.RestartCount}}"))
    wait_for(lambda: int(docker.inspect(ref, "{{.RestartCount}}")) > before)
    assert docker.inspect(stopped, "{{.State.Status}}") == "exited"
    docker.ok("stop", "-t", "0", ref)


def test_health_is_checked_shown_and_filtered(docker, container):
    check = ("--health-cmd", "test -f /ok", "--health-interval", "1s", "--health-retries", "2")
    ref = container(*check, "busybox", "sh", "-c", "touch /ok; sleep 100")
    assert docker.inspect(ref, "{{.State.Health.Status}}") == "starting"
    wait_for(lambda: docker.inspect(ref, "{{.State.Health.Status}}") == "healthy")
    assert docker.ok("ps", "-f", "health=healthy", "-f", f"id={ref}", "--format", "{{.Status}}").endswith("(healthy)")
    docker.ok("exec", ref, "rm", "/ok")
    wait_for(lambda: docker.inspect(ref, "{{.State.Health.Status}}") == "unhealthy")
    assert docker.inspect(ref, "{{(index .State.Health.Log 0).ExitCode}}") == "0"
    assert docker.ok("ps", "-q", "-f", "health=healthy", "-f", f"id={ref}") == ""


def test_a_paused_container_does_nothing_and_says_so(docker, container):
    ref = container("busybox", "sleep", "100")
    docker.ok("pause", ref)
    assert docker.inspect(ref, "{{.State.Status}} {{.State.Running}} {{.State.Paused}}") == "paused true true"
    assert docker.ok("ps", "-f", f"id={ref}", "-f", "status=paused", "--format", "{{.Status}}").endswith("(Paused)")
    for command, words in {
        ("exec", ref, "true"): "is paused, unpause the container before exec",
        ("pause", ref): "is already paused",
        ("start", ref): "cannot start a paused container, try unpause instead",
        ("rm", ref): "container is paused and must be unpaused first",
    }.items():
        assert words in docker(*command).stderr.decode()
    docker.ok("unpause", ref)
    assert "is not paused" in docker("unpause", ref).stderr.decode()
    docker.ok("exec", ref, "true")
    docker.ok("pause", ref)
    docker.ok("stop", "-t", "0", ref)
    assert docker.inspect(ref, "{{.State.Status}}") == "exited"


def test_limits_and_policy_change_while_it_runs(docker, container):
    ref = container("-m", "64m", "--memory-swap", "64m", "busybox", "sh", "-c", "while :; do sleep 0.1; done")
    limits = ("-m", "200m", "--memory-swap", "200m", "--cpu-shares", "512", "--pids-limit", "50")
    told = docker("update", *limits, "--restart", "on-failure:3", ref)
    assert told.returncode == 0, told.stderr
    policy = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}"
    shown = "{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}} " + policy
    assert docker.inspect(ref, shown) == f"{200 << 20} 512 50 on-failure:3"
    assert docker.inspect(ref, '{{index .Config.Labels "com.joyent.package"}}') == "sample-256M"
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    assert docker.ok("exec", ref, "sh", "-c", f"{limit} || true") == str(200 << 20)
    assert "already set memoryswap limit" in docker("update", "-m", "300m", ref).stderr.decode()


def test_prune_and_df_tell_the_space(docker):
    write = ("sh", "-c", "dd if=/dev/zero of=/x bs=1M count=3 2>/dev/null")
    ref = docker.ok("run", "-d", "--label", "life=prune", "busybox", *write)
    docker.ok("wait", ref)
    usage = json.loads(docker.ok("system", "df", "-v", "--format", "{{json .}}"))
    assert next(c for c in usage["Containers"] if ref.startswith(c["ID"]))["Size"].startswith("3.1")
    assert next(i for i in usage["Images"] if i["Repository"] == "busybox")["Containers"] != "0"
    label = ("--filter", "label=life=prune")
    assert ref not in docker.ok("container", "prune", "-f", *label, "--filter", "until=1h")
    done = docker.ok("container", "prune", "-f", *label)
    assert ref in done
    assert "reclaimed space: 3.1" in done
    assert docker("inspect", ref).returncode == 1
    assert "Total reclaimed space: 0B" in docker.ok("system", "prune", "-f", *label)
