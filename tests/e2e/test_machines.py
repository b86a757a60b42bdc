"""What an operator does to a container behind Docker's back, seen with the docker CLI."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


@pytest.fixture
def external(running):
    return running.http("napi", "/networks?name=external")[0]["uuid"]


def vm_uuid(docker, ref):
    """The VM's uuid is the first half of the container's id."""
    digits = docker.inspect(ref, "{{.Id}}")[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def addresses(docker, ref):
    return [line.split()[3].split("/")[0] for line in docker.ok("exec", ref, "ip", "-o", "-4", "addr").splitlines()][1:]


def told(docker, ref):
    return docker.inspect(ref, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}").split()


def test_nics_come_and_go_while_a_container_runs(running, docker, container, external):
    ref = container("busybox", "sleep", "600")
    path = f"/vms/{vm_uuid(docker, ref)}"
    started = docker.inspect(ref, "{{.State.StartedAt}}")
    running.http("vmapi", f"{path}?action=add_nics&sync=true", "POST", {"networks": [external]})
    inside = addresses(docker, ref)
    assert len(inside) == 2
    assert sorted(told(docker, ref)) == sorted(inside)
    assert inside[1] in docker.ok("exec", ref, "cat", "/etc/hosts")
    mac = running.http("vmapi", path)["nics"][1]["mac"]
    running.http("vmapi", f"{path}?action=remove_nics&sync=true", "POST", {"macs": [mac]})
    assert addresses(docker, ref) == told(docker, ref) == inside[:1]
    assert docker.inspect(ref, "{{.State.StartedAt}}") == started


@pytest.mark.parametrize("process", ["services", "node"])
def test_a_nic_is_added_once_and_wholly_whatever_dies_meanwhile(running, docker, container, external, process):
    ref = container("busybox", "sleep", "600")
    path = f"/vms/{vm_uuid(docker, ref)}"
    if process == "node":
        server = running.http("cnapi", f"/servers/{running.http('vmapi', path)['server_uuid']}")
        process = f"node-{server['hostname'].rpartition('-cn')[2]}"
    job = running.http("vmapi", f"{path}?action=add_nics", "POST", {"networks": [external]})["job_uuid"]
    running.kill(process)
    ended = wait_for(
        lambda: (found := running.http("vmapi", f"/jobs/{job}"))["execution"] in {"succeeded", "failed"} and found
    )
    expected = 2 if ended["execution"] == "succeeded" else 1
    assert len(addresses(docker, ref)) == len(running.http("vmapi", path)["nics"]) == expected
    nics = running.http("napi", f"/nics?belongs_to_uuid={path.removeprefix('/vms/')}")
    assert sorted(nic["ip"] for nic in nics) == sorted(addresses(docker, ref))


def test_back_to_a_snapshot(running, docker, container):
    ref = container("--stop-timeout", "1", "busybox", "sleep", "600")
    path = f"/vms/{vm_uuid(docker, ref)}"
    docker.ok("exec", ref, "sh", "-c", "echo old > /kept; rm /etc/group")
    running.http("vmapi", f"{path}?action=create_snapshot&snapshot_name=one&sync=true", "POST")
    docker.ok("exec", ref, "sh", "-c", "echo new > /kept; echo x > /etc/group; echo y > /more")
    running.http("vmapi", f"{path}?action=rollback_snapshot&snapshot_name=one&sync=true", "POST")
    assert docker.inspect(ref, "{{.State.Status}}") == "running"
    assert docker.ok("exec", ref, "cat", "/kept") == "old"
    changes = docker.ok("diff", ref).splitlines()
    assert "D /etc/group" in changes
    assert "A /more" not in changes


def test_a_container_begins_anew_and_keeps_its_volumes(running, docker, container):
    ref = container("--stop-timeout", "1", "-v", "/data", "--label", "a=b", "busybox", "sleep", "600")
    path = f"/vms/{vm_uuid(docker, ref)}"
    docker.ok("exec", ref, "sh", "-c", "echo v > /data/v; echo w > /w")
    image = running.http("vmapi", path)["image_uuid"]
    running.http("vmapi", f"{path}?action=reprovision&sync=true", "POST", {"image_uuid": image})
    assert docker.ok("exec", ref, "cat", "/data/v") == "v"
    assert docker("exec", ref, "cat", "/w").returncode == 1
    assert docker.inspect(ref, "{{.Config.Labels.a}}") == "b"
