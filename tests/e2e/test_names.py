"""Containers find each other by name, with the real docker CLI and Compose, on one compute node and across several."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker

SLEEP = ("busybox", "sleep", "600")
ALONE = ("--dns", "127.0.0.1")
"""Nobody else is asked, so that it takes no time to find nothing."""


@pytest.fixture
def on(network, container):
    """Run containers on a network of their own, which goes after they have gone."""
    network("names")

    def run(name, *options, network="names"):
        return container("--name", name, "--network", network, *ALONE, *options, *SLEEP)

    return run


def found(docker, ref, name):
    """The addresses that a container finds behind a name."""
    told = docker("exec", ref, "nslookup", name).stdout.decode().partition("Name:")[2]
    return sorted(line.split()[1] for line in told.splitlines() if line.startswith("Address:"))


def address(docker, ref, network="names"):
    return docker.inspect(ref, f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}')


def endpoint(docker, ref, network="names"):
    return json.loads(docker.inspect(ref, f'{{{{json (index .NetworkSettings.Networks "{network}")}}}}'))


def test_everything_a_container_is_called_leads_to_it(docker, on):
    docker_id = on("nm-web", "--network-alias", "nm-www", "--hostname", "nm-host")
    on("nm-me", "--link", "nm-web:nm-linked")
    expected = [address(docker, "nm-web")]
    for name in ("nm-web", "nm-www", "nm-host", docker_id[:12], "nm-web.names", "NM-WEB", "nm-linked"):
        assert found(docker, "nm-me", name) == expected, name
    assert found(docker, "nm-web", "nm-linked") == []
    asked = docker("exec", "nm-me", "nc", "-w", "3", "nm-www", "7")
    assert f"remote host ({expected[0]}): Connection refused" in asked.stderr.decode()
    shown = endpoint(docker, "nm-web")
    assert (shown["Aliases"], shown["DNSNames"]) == (["nm-www"], ["nm-web", "nm-www", docker_id[:12], "nm-host"])
    assert endpoint(docker, "nm-me")["Links"] == ["nm-web:nm-linked"]


def test_one_alias_of_several_containers_on_several_nodes(docker, on):
    on("nm-one", "--network-alias", "nm-all")
    on("nm-two", "--network-alias", "nm-all", "-e", "affinity:container!=nm-one")
    addresses = sorted(address(docker, name) for name in ("nm-one", "nm-two"))
    for asker in ("nm-one", "nm-two"):
        wait_for(lambda asker=asker: found(docker, asker, "nm-all") == addresses)
    docker.ok("stop", "-t", "0", "nm-two")
    wait_for(lambda: found(docker, "nm-one", "nm-all") == [address(docker, "nm-one")])
    docker.ok("start", "nm-two")
    docker.ok("rename", "nm-two", "nm-second")
    wait_for(lambda: found(docker, "nm-one", "nm-second") == [address(docker, "nm-second")])
    assert found(docker, "nm-one", "nm-two") == []
    assert endpoint(docker, "nm-second")["DNSNames"][0] == "nm-second"
    docker.ok("rm", "-f", "nm-second")
    wait_for(lambda: found(docker, "nm-one", "nm-all") == [address(docker, "nm-one")])


def test_a_container_brings_its_names_along_when_it_joins_and_takes_them_when_it_leaves(docker, on, network, container):
    network("names-2")
    on("nm-me")
    container("--name", "nm-mover", *ALONE, *SLEEP)
    assert found(docker, "nm-mover", "nm-me") == []
    docker.ok("network", "connect", "--alias", "nm-late", "names", "nm-mover")
    docker.ok("network", "connect", "--alias", "nm-other", "names-2", "nm-mover")
    wait_for(lambda: found(docker, "nm-me", "nm-late") == [address(docker, "nm-mover")])
    assert found(docker, "nm-me", "nm-other") == []
    assert found(docker, "nm-mover", "nm-other") == [address(docker, "nm-mover", "names-2")]
    assert found(docker, "nm-mover", "nm-me") == [address(docker, "nm-me")]
    docker.ok("network", "disconnect", "names", "nm-mover")
    wait_for(lambda: found(docker, "nm-me", "nm-late") == [])
    docker.ok("network", "connect", "names", "nm-mover")
    wait_for(lambda: found(docker, "nm-me", "nm-mover") == [address(docker, "nm-mover")])
    assert found(docker, "nm-me", "nm-late") == []
    assert endpoint(docker, "nm-mover")["Aliases"] is None


def test_the_default_network_has_no_names(docker, container):
    container("--name", "nm-plain", *SLEEP)
    asked = docker("run", "--rm", *ALONE, "busybox", "nc", "-w", "1", "nm-plain", "7")
    assert b"bad address 'nm-plain'" in asked.stderr
    refused = docker("create", "--network-alias", "x", *SLEEP)
    assert b"network-scoped alias" in refused.stderr


def test_name_servers_search_domains_and_options_are_those_asked_for(docker, on):
    on("nm-web")
    on("nm-me", "--dns-search", "names", "--dns-option", "timeout:1", "--dns-option", "ndots:2")
    assert docker.inspect("nm-me", "{{.HostConfig.Dns}}") == "[127.0.0.1]"
    assert docker.ok("exec", "nm-me", "cat", "/etc/resolv.conf").splitlines() == [
        "nameserver 127.0.0.11", "search names", "options timeout:1 ndots:2"
    ]  # fmt: skip
    assert found(docker, "nm-me", "nm-web") == [address(docker, "nm-web")]


def test_accounts_on_a_shared_network_do_not_see_each_others_names(running, docker, container):
    bob = running.account("nm-bob")
    image = docker("save", "busybox").stdout
    bob.ok("load", stdin=image)
    bob.ok("run", "-d", "--name", "nm-theirs", "--network", "external", "--network-alias", "nm-secret", *SLEEP)
    try:
        container("--name", "nm-mine", "--network", "external", *ALONE, *SLEEP)
        assert found(docker, "nm-mine", "nm-mine") == [address(docker, "nm-mine", "external")]
        assert found(docker, "nm-mine", "nm-theirs") == []
        assert found(docker, "nm-mine", "nm-secret") == []
    finally:
        bob.ok("rm", "-f", "nm-theirs")


@pytest.mark.parametrize("process", ["services", "node-0"])
def test_names_outlive_the_processes_behind_them(running, docker, on, process):
    on("nm-one", "-e", "affinity:container!=nobody")
    on("nm-two", "-e", "affinity:container!=nm-one")
    pairs = (("nm-one", "nm-two"), ("nm-two", "nm-one"))
    for asker, name in pairs:
        wait_for(lambda asker=asker, name=name: found(docker, asker, name))
    running.kill(process)
    for asker, name in pairs:
        wait_for(lambda asker=asker, name=name: found(docker, asker, name) == [address(docker, name)])
    docker.ok("stop", "-t", "0", "nm-two")
    wait_for(lambda: found(docker, "nm-one", "nm-two") == [])


COMPOSE = """
services:
  web:
    image: busybox
    command: sh -c 'mkdir /w && echo served > /w/index.html && exec httpd -f -p 80 -h /w'
    stop_grace_period: 0s
    deploy: {replicas: 2}
  client:
    image: busybox
    command: sh -c 'until wget -qO- http://web/; do sleep 0.2; done; nslookup web'
    depends_on: [web]
"""


def test_services_of_compose_find_each_other(docker, tmp_path):
    if docker("compose", "version").returncode:
        pytest.skip("docker compose is not installed")
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    compose = ("compose", "-p", "nm-compose", "-f", str(file))
    try:
        done = docker(*compose, "up", "--abort-on-container-exit", "--exit-code-from", "client", timeout=120)
        assert done.returncode == 0, done.stderr
        assert b"served" in done.stdout
        assert done.stdout.count(b"Name:") == 2
    finally:
        docker(*compose, "down", timeout=120)
