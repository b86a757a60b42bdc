"""Affinity: where containers go."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.docker


def node_of(running, docker, ref):
    uuid = docker.inspect(ref, "{{.Id}}")[:32]
    dashed = f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"
    return running.http("vmapi", f"/vms/{dashed}")["server_uuid"]


def test_containers_that_avoid_each_other_go_to_three_nodes(running, docker):
    names = [f"apart-{n}" for n in range(3)]
    try:
        for name in names:
            docker.ok(
                "create", "--name", name, "--label", "role=apart", "-e", "affinity:role!=apart", "busybox", "true"
            )
        assert len({node_of(running, docker, name) for name in names}) == 3
        done = docker("create", "-l", "role=apart", "-e", "affinity:role!=apart", "busybox", "true")
        assert done.returncode != 0
        assert b"No compute resources available" in done.stderr
    finally:
        docker("rm", "-f", *names)


def test_containers_that_seek_each_other_share_a_node(running, docker):
    try:
        docker.ok("create", "--name", "first", "busybox", "true")
        for name in ("second", "third"):
            docker.ok("create", "--name", name, "-e", "affinity:container==first", "busybox", "true")
        assert len({node_of(running, docker, name) for name in ("first", "second", "third")}) == 1
    finally:
        docker("rm", "-f", "first", "second", "third")


def test_the_affinity_is_not_left_in_the_environment(docker):
    script = "env | grep -c affinity || true"
    assert docker.ok("run", "--rm", "-e", "affinity:container!=nobody", "busybox", "sh", "-c", script) == "0"


def test_nothing_to_be_near_to_is_refused(docker):
    done = docker("create", "-e", "affinity:container==nobody-*", "busybox", "true")
    assert done.returncode != 0
    assert b"no active containers found matching" in done.stderr
    assert docker("create", "--name", "soft", "-e", "affinity:container==~nobody", "busybox", "true").returncode == 0
    docker.ok("rm", "soft")
