"""``docker network`` with the real docker CLI: made, told, joined, apart from each other, removed."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.docker

SERVING = ("busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hello")


def test_a_network_is_made_shown_joined_and_removed(docker, running, network, container):
    docker_id = network("net-life", "--label", "stage=test")
    assert docker.ok("network", "ls", "-q", "--no-trunc", "-f", "label=stage=test") == docker_id
    container("--name", "net-web", "--network", "net-life", "busybox", "sleep", "600")
    told = json.loads(docker.ok("network", "inspect", "net-life"))[0]
    ((_, endpoint),) = told["Containers"].items()
    address = docker.inspect("net-web", '{{(index .NetworkSettings.Networks "net-life").IPAddress}}')
    assert (endpoint["Name"], endpoint["IPv4Address"]) == ("net-web", f"{address}/24")
    refused = docker("network", "rm", "net-life")
    assert refused.returncode == 1
    assert b"network net-life has active endpoints" in refused.stderr
    docker.ok("rm", "-f", "net-web")
    docker.ok("network", "rm", "net-life")
    assert docker("network", "inspect", "net-life").returncode == 1
    assert "docker" not in [network["name"] for network in running.http("napi", "/networks?fabric=true")]


def test_addresses_are_those_that_were_asked_for(docker, network):
    subnet = json.loads(docker.ok("network", "inspect", network("net-probe")))[0]["IPAM"]["Config"][0]["Subnet"]
    docker.ok("network", "rm", "net-probe")
    start = subnet.removesuffix(".0/24")  # nobody has it now
    network("net-given", "--subnet", subnet, "--gateway", f"{start}.1")
    told = docker.ok("run", "--rm", "--network", "net-given", "--ip", f"{start}.99", "busybox", "ip", "-4", "addr")
    assert f"{start}.99/24" in told
    twice = docker("network", "create", "net-given")
    assert b"network with name net-given already exists" in twice.stderr


def test_networks_are_apart_and_internal_ones_have_no_way_out(docker, network, container):
    network("net-one")
    network("net-two", "--internal")
    container("--name", "net-target", "--network", "net-one", *SERVING)
    address = docker.inspect("net-target", '{{(index .NetworkSettings.Networks "net-one").IPAddress}}')
    ask = ("busybox", "nc", "-w", "2", address, "80")
    assert docker.ok("run", "--rm", "--network", "net-one", *ask) == "hello"
    assert docker("run", "--rm", "--network", "net-two", *ask).returncode == 1
    assert "default" not in docker.ok("run", "--rm", "--network", "net-two", "busybox", "ip", "route")
    assert "default" in docker.ok("run", "--rm", "--network", "net-one", "busybox", "ip", "route")


def test_prune_takes_by_label(docker, network):
    network("net-old", "--label", "old")
    network("net-new")
    assert "net-old" in docker.ok("network", "prune", "-f", "--filter", "label=old")
    assert docker.ok("network", "ls", "-f", "name=net-", "--format", "{{.Name}}") == "net-new"


def test_a_running_container_joins_and_leaves(docker, network, container):
    network("net-late")
    container("--name", "net-mover", *SERVING)
    before = docker.inspect("net-mover", "{{.State.StartedAt}}")
    docker.ok("network", "connect", "net-late", "net-mover")
    address = docker.inspect("net-mover", '{{(index .NetworkSettings.Networks "net-late").IPAddress}}')
    assert docker.ok("run", "--rm", "--network", "net-late", "busybox", "nc", "-w", "3", address, "80") == "hello"
    assert address in docker.ok("exec", "net-mover", "ip", "-4", "addr")
    again = docker("network", "connect", "net-late", "net-mover")
    assert b"endpoint with name net-mover already exists in network net-late" in again.stderr
    docker.ok("network", "disconnect", "net-late", "net-mover")
    assert "net-late" not in docker.inspect("net-mover", "{{json .NetworkSettings.Networks}}")
    assert address not in docker.ok("exec", "net-mover", "ip", "-4", "addr")
    docker.ok("network", "rm", "net-late")
    docker.ok("network", "disconnect", "bridge", "net-mover")
    assert docker.inspect("net-mover", "{{json .NetworkSettings.Networks}}") == "{}"
    assert docker.inspect("net-mover", "{{.State.StartedAt}}") == before


def test_a_container_in_another_ones_network_is_beside_it(docker, container):
    container("--name", "net-host", "busybox", "sh", "-c", "echo shared > /index.html; httpd -f -p 127.0.0.1:7777 -h /")
    address = docker.inspect("net-host", "{{.NetworkSettings.IPAddress}}")
    for number in range(3):  # on three nodes, one of them would be elsewhere
        container("--name", f"net-side{number}", "--network", "container:net-host", "busybox", "sleep", "600")
        assert docker.ok("exec", f"net-side{number}", "wget", "-qO-", "http://127.0.0.1:7777/") == "shared"
    assert (
        docker.inspect("net-side0", "{{.HostConfig.NetworkMode}}")
        == f"container:{docker.inspect('net-host', '{{.Id}}')}"
    )
    assert docker.inspect("net-side0", "{{json .NetworkSettings.Networks}}") == "{}"
    docker.ok("rm", "-f", "net-host")
    assert address not in docker.ok("exec", "net-side0", "ip", "-4", "addr")
    refused = docker("restart", "-t", "0", "net-side0")
    assert b"cannot join network of container" in refused.stderr
    assert docker.inspect("net-side0", "{{.State.Status}}") == "exited"
