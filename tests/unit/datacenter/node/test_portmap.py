"""Containers answer outside on other numbers than their programs listen on."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager

import pytest

from datacenter.node import portmap
from datacenter.node.tasks import TaskError
from tests.unit.datacenter.node.node_kit import TaskFailed, nic, until
from tests.unit.datacenter.node.test_hotplug import first, inside, second


def test_a_map_is_read():
    text = '{"80/tcp":[8080,80,9090],"99/udp":[18765]}'
    assert portmap.translations({"docker:port_map": text}) == [
        ("tcp", 8080, 80),
        ("tcp", 9090, 80),
        ("udp", 18765, 99),
    ]
    assert portmap.translations({}) == []


@pytest.mark.parametrize("text", [
    "{", "[]", '{"80/tcp":["1"]}', '{"80/sctp":[1]}', '{"x/tcp":[1]}', '{"80":[1]}', '{"80/tcp":[0]}',
    '{"80/tcp":[65536]}', '{"0/tcp":[1]}',
])  # fmt: skip
def test_no_map(text):
    with pytest.raises(TaskError) as failure:
        portmap.translations({"docker:port_map": text})
    assert failure.value.rest_code == "InvalidArgument"


def test_rules_are_about_the_primary_nic_s_address():
    found = [("tcp", 8080, 80)]
    rule = "ip daddr 10.153.248.22 tcp dport 8080 dnat to 10.153.248.22:80"
    assert portmap.ruleset(found, [{"ip": "10.153.240.21"}, {"ip": "10.153.248.22", "primary": True}]).count(rule) == 2
    assert "dnat to 10.153.240.21:80" in portmap.ruleset(found, [{"ip": "10.153.240.21"}, {"ip": "10.153.248.22"}])
    assert "dnat" not in portmap.ruleset(found, [])


real = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]
MAP = {"docker:port_map": '{"7777/tcp":[8080],"99/udp":[18765]}'}
SERVE = "while :; do echo hello | nc -l -p 7777; done"


@pytest.fixture
def running(node):
    vm = node.create("sh", "-c", SERVE, nics=[first()], meta=MAP)
    node.task("machine_boot", uuid=vm)
    yield vm
    node.task("machine_destroy", uuid=vm)


def heard(address, port):
    """What a container says to who connects to it."""
    try:
        with socket.create_connection((address, port), timeout=2) as client:
            return client.recv(100)
    except OSError:
        return b""


ECHO = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 99))\n"
    "print('ready', flush=True)\n"
    "while True: s.sendto(*s.recvfrom(100))"
)
"""No program of the test's image takes datagrams: this one stands in the container's network."""


@contextmanager
def echoing(pid):
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", ECHO]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.kill()


def echoed(address, port):
    """What comes back for a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((address, port))
        try:
            client.send(b"ping")
            return client.recv(100)
        except OSError:
            return b""


class TestRealContainers:
    pytestmark = real

    def test_both_numbers_lead_to_the_program(self, node, running):
        address = first()["ip"]
        assert until(lambda: heard(address, 8080)) == b"hello\n"
        assert until(lambda: heard(address, 7777)) == b"hello\n"
        with echoing(node.task("machine_load", uuid=running)["vm"]["pid"]):
            assert until(lambda: echoed(address, 18765)) == b"ping"
            assert until(lambda: echoed(address, 99)) == b"ping"
        assert heard(address, 8081) == b""

    def test_a_container_reaches_itself_there(self, node, running):
        script = f"import socket; print(socket.create_connection(({first()['ip']!r}, 8080), 2).recv(9))"
        until(lambda: heard(first()["ip"], 8080))
        assert until(lambda: "hello" in inside(node, running, "python3", "-c", script))

    def test_it_outlives_the_agent_and_the_next_boot(self, node, running):
        node.crash()
        node.start()
        assert until(lambda: heard(first()["ip"], 8080)) == b"hello\n"
        node.task("machine_reboot", uuid=running, timeout=0)
        assert until(lambda: heard(first()["ip"], 8080)) == b"hello\n"

    def test_it_follows_the_primary_nic(self, node, running):
        node.task("machine_update", uuid=running, add_nics=[second()])
        assert until(lambda: heard(second()["ip"], 8080)) == b"hello\n"
        assert heard(first()["ip"], 8080) == b""

    def test_another_container_has_none_of_it(self, node, running):
        vm = node.create("sh", "-c", SERVE, nics=[{**nic(23), "interface": "net0"}])
        node.task("machine_boot", uuid=vm)
        assert until(lambda: heard(nic(23)["ip"], 7777)) == b"hello\n"
        assert heard(nic(23)["ip"], 8080) == b""
        node.task("machine_destroy", uuid=vm)

    def test_nonsense_fails_the_boot_and_leaves_no_network(self, node):
        vm = node.create("sleep", "60", nics=[first()], meta={"docker:port_map": '{"80/tcp":[0]}'})
        with pytest.raises(TaskFailed) as failure:
            node.task("machine_boot", uuid=vm)
        assert failure.value.code == "InvalidArgument"
        node.task("machine_destroy", uuid=vm)
