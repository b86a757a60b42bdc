"""Containers that know of one another: links and volumes."""

from __future__ import annotations

import json
import subprocess

import pytest

from gateway.local.instance import ROOT

pytestmark = pytest.mark.docker

SERVING = ("busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hello")


@pytest.fixture
def linked(docker, container):
    """``shared-web`` links to ``shared-srv`` as ``db``; both run."""
    container("--name", "shared-srv", "-e", "A=1", "--expose", "80", *SERVING)
    container("--name", "shared-web", "--link", "shared-srv:db", "busybox", "sleep", "600")
    return docker


def links(docker, ref):
    return json.loads(docker.inspect(ref, "{{json .HostConfig.Links}}"))


def variables(docker, ref):
    return dict(line.split("=", 1) for line in docker.ok("exec", ref, "env").splitlines())


def test_a_link_is_a_name_an_address_and_variables(linked):
    ip = linked.inspect("shared-srv", "{{.NetworkSettings.IPAddress}}")
    assert linked.ok("exec", "shared-web", "nc", "-w", "5", "db", "80") == "hello"
    assert f"{ip}\tdb " in linked.ok("exec", "shared-web", "cat", "/etc/hosts")
    env = variables(linked, "shared-web")
    assert (env["DB_NAME"], env["DB_ENV_A"], env["DB_PORT_80_TCP"]) == ("/shared-web/db", "1", f"tcp://{ip}:80")
    names = linked.ok("ps", "--no-trunc", "--format", "{{.Names}}", "-f", "name=shared-srv")
    assert names == "shared-srv,shared-web/db"


def test_links_follow_names_and_removals(linked):
    linked.ok("rename", "shared-srv", "shared-db")
    linked.ok("rename", "shared-web", "shared-front")
    assert links(linked, "shared-front") == ["/shared-db:/shared-front/db"]
    linked.ok("restart", "-t", "0", "shared-front")
    assert variables(linked, "shared-front")["DB_NAME"] == "/shared-front/db"
    assert " shared-db\n" in linked.ok("exec", "shared-front", "cat", "/etc/hosts")
    linked.ok("rm", "--link", "shared-front/db")
    assert links(linked, "shared-front") is None
    linked.ok("restart", "-t", "0", "shared-front")
    assert "DB_NAME" not in variables(linked, "shared-front")
    assert linked("rm", "--link", "shared-front/db").returncode == 1


def test_links_end_with_their_target(linked):
    linked.ok("rm", "-f", "shared-srv")
    assert links(linked, "shared-web") is None
    linked.ok("restart", "-t", "0", "shared-web")
    assert "shared-srv" not in linked.ok("exec", "shared-web", "cat", "/etc/hosts")


def test_accounts_cannot_link_to_each_other(linked, running, tmp_path):
    tar = tmp_path / "busybox.tar"
    subprocess.run(["sh", str(ROOT / "tools/busybox-image.sh"), str(tar)], check=True)
    gina = running.account("gina")
    gina.ok("import", str(tar), "busybox")
    refused = gina("create", "--link", "shared-srv:db", "busybox", "true")
    assert refused.returncode == 1
    assert b"could not get container for shared-srv: No such container: shared-srv" in refused.stderr
    assert b"No such container" in gina("rm", "--link", "shared-web/db").stderr
    assert links(linked, "shared-web") == ["/shared-srv:/shared-web/db"]


def test_volumes_of_a_container_that_never_ran(docker):
    docker.ok("create", "--name", "shared-data", "-v", "/vol", "busybox", "cat", "/vol/f")
    try:
        docker.ok("run", "--rm", "--volumes-from", "shared-data", "busybox", "sh", "-c", "echo q > /vol/f")
        assert docker.ok("run", "--rm", "--volumes-from", "shared-data:ro", "busybox", "cat", "/vol/f") == "q"
        assert docker("run", "--rm", "--volumes-from", "shared-data:ro", "busybox", "rm", "/vol/f").returncode == 1
        assert docker.ok("start", "-a", "shared-data") == "q"
        docker.ok("create", "--name", "shared-user", "--volumes-from", "shared-data", "busybox")
        assert b"is sharing its volume(s) with shared-user." in docker("rm", "-f", "shared-data").stderr
    finally:
        docker("rm", "-f", "shared-user")
        docker.ok("rm", "shared-data")


def test_what_a_container_has_written(docker, container):
    ref = container("busybox", "sh", "-c", "head -c 123456 /dev/zero > /f; touch /done; exec sleep 600")
    docker.ok("exec", ref, "sh", "-c", "while [ ! -e /done ]; do sleep 0.1; done")
    assert docker.ok("inspect", "-s", "-f", "{{.SizeRw}}", ref) == "123456"
    assert docker.ok("ps", "-s", "-f", f"id={ref}", "--format", "{{.Size}}").startswith("123kB (virtual ")


def test_the_node_s_own_failures_stay_inside(docker):
    done = docker("run", "--rm", "-v", "/dev", "busybox", "true")
    assert done.returncode == 125
    assert b"problem starting container" in done.stderr
    assert b"/run/" not in done.stderr
