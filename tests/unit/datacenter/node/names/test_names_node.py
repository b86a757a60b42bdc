"""Containers ask for names: with busybox, with glibc, over TCP, while peers come and go and the agent is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.unit.datacenter.node.node_kit import NETWORK, nic, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

OWNER = "0c0ffee0-0000-4000-8000-0000000000aa"
KEY = f"docker:endpoint:{NETWORK}"


def endpoint(*aliases, links=()):
    return json.dumps({"network": "front", "aliases": list(aliases), "links": list(links)})


@pytest.fixture
def made(node):
    """Make containers that run until the test is over."""
    vms = []

    def make(name, number, *command, told=None, owner=OWNER, resolvers=("127.0.0.1",), **fields):
        meta = {KEY: endpoint() if told is None else told} if told != "" else {}
        fields = {"alias": name, "owner_uuid": owner, "resolvers": list(resolvers), "nics": [nic(number)], **fields}
        vm = node.create(*(command or ("sleep", "600")), meta=meta, **fields)
        vms.append(vm)
        node.task("machine_boot", uuid=vm)
        return vm

    yield make
    for vm in vms:
        node.task("machine_destroy", uuid=vm)


def inside(node, vm, *command, files=False):
    """Run a command of this machine in a container's network, with the container's resolv.conf."""
    pid = node.task("machine_load", uuid=vm)["vm"]["pid"]
    conf = node.state / "nodes" / "0" / "zones" / vm / "bundle" / "resolv.conf"
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", "unshare", "--mount", "sh", "-c", script, str(conf), *command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def glibc(node, vm, name):
    """The IPv4 addresses that glibc finds."""
    done = inside(node, vm, "getent", "ahostsv4", name)
    return sorted({line.split()[0] for line in done.stdout.splitlines()})


def busybox(node, vm, *command):
    """Run an applet in the container's network."""
    return inside(node, vm, "/bin/busybox", *command)


def resolv_conf(node, vm):
    return (node.state / "nodes" / "0" / "zones" / vm / "bundle" / "resolv.conf").read_text()


def test_containers_find_each_other(node, made):
    me = made("me", 31)
    made("web", 32, told=endpoint("www"))
    made("web-2", 33, told=endpoint("www"))
    assert resolv_conf(node, me) == "nameserver 127.0.0.11\noptions ndots:0\n"
    assert glibc(node, me, "web") == ["10.153.240.32"]
    assert glibc(node, me, "www") == ["10.153.240.32", "10.153.240.33"]
    assert glibc(node, me, "web.front") == ["10.153.240.32"]
    assert glibc(node, me, "me") == ["10.153.240.31"]
    assert "10.153.240.32" in busybox(node, me, "nslookup", "web").stdout
    assert busybox(node, me, "ping", "-c1", "-W3", "web").returncode == 0
    assert "web.front" in inside(node, me, "getent", "hosts", "10.153.240.32").stdout


def test_a_container_asks_at_its_very_start(node, made):
    made("web", 34)
    me = made("me", 35, "sh", "-c", "ping -c1 -W3 web && echo found && ping -c1 -W3 me && echo myself")
    node.wait(me)
    assert {"found", "myself"} <= set(node.log(me).split())


def test_many_addresses_come_over_tcp(node, made):
    me = made("me", 36)
    pid = node.task("machine_load", uuid=me)["vm"]["pid"]
    script = (
        "import dns.message, dns.query;"
        "print(dns.query.tcp(dns.message.make_query('me.', 'A'), '127.0.0.11', timeout=5).answer[0][0])"
    )
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "10.153.240.36\n"


def test_names_follow_a_rename_a_stop_a_start_and_a_removal(node, made):
    me, web = made("me", 37), made("web", 38)
    node.task("machine_update", uuid=web, alias="shop")
    assert glibc(node, me, "web") == []
    assert glibc(node, me, "shop") == ["10.153.240.38"]
    node.task("machine_shutdown", uuid=web, timeout=0)
    assert glibc(node, me, "shop") == []
    node.task("machine_boot", uuid=web)
    assert glibc(node, me, "shop") == ["10.153.240.38"]
    node.task("machine_destroy", uuid=web)
    assert glibc(node, me, "shop") == []


def test_names_follow_a_container_onto_a_network_and_off_it(node, made):
    me, web = made("me", 39), made("web", 40, told="", nics=[])
    assert resolv_conf(node, web) == "nameserver 127.0.0.1\n"
    node.task("machine_update", uuid=web, set_internal_metadata={KEY: endpoint("late")})
    assert glibc(node, me, "web") == []
    node.task("machine_update", uuid=web, add_nics=[nic(40)])
    assert glibc(node, me, "late") == ["10.153.240.40"]
    assert glibc(node, web, "me") == ["10.153.240.39"]
    node.task("machine_update", uuid=web, remove_nics=[nic(40)["mac"]])
    assert glibc(node, me, "late") == []
    assert resolv_conf(node, web) == "nameserver 127.0.0.1\n"


def test_what_a_container_wrote_over_its_resolv_conf_stays(node, made):
    web = made("web", 41, told="", nics=[])
    path = node.state / "nodes" / "0" / "zones" / web / "bundle" / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    node.task("machine_update", uuid=web, set_internal_metadata={KEY: endpoint()}, add_nics=[nic(41)])
    assert path.read_text() == "nameserver 192.0.2.1\n"


def test_networks_without_names_and_other_accounts_have_none(node, made):
    me = made("me", 42)
    made("plain", 43, told="")
    made("theirs", 44, owner="0c0ffee0-0000-4000-8000-0000000000bb")
    assert glibc(node, me, "plain") == []
    assert glibc(node, me, "theirs") == []


def test_a_container_keeps_port_53_for_itself(node, made):
    me = made("me", 45)
    script = "import socket; socket.create_server(('0.0.0.0', 53)); socket.socket(type=2).bind(('0.0.0.0', 53))"
    assert inside(node, me, "python3", "-c", script).returncode == 0
    assert glibc(node, me, "me") == ["10.153.240.45"]


FLOOD = """
import dns.message, socket
asker = socket.socket(type=socket.SOCK_DGRAM)
asker.connect(("127.0.0.11", 53))
query = dns.message.make_query("me.", "A").to_wire()
print("up", flush=True)
while True:
    asker.send(query)
"""


def test_a_container_that_asks_without_end_leaves_others_their_answers(node, made):
    me, calm = made("me", 51), made("calm", 52)
    pid = node.task("machine_load", uuid=me)["vm"]["pid"]
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", FLOOD]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as flood:
        try:
            assert flood.stdout.readline() == b"up\n"
            assert glibc(node, calm, "me") == ["10.153.240.51"]
            assert node.task("machine_load", uuid=calm)["vm"]["state"] == "running"
        finally:
            flood.kill()


SERVER = """
import dns.flags, dns.message, dns.rrset, socket, sys, threading

MANY = [f"192.0.2.{n}" for n in range(1, 61)]
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind((sys.argv[1], 53))
stream = socket.create_server((sys.argv[1], 53))

def answer(data, tcp):
    query = dns.message.from_wire(data)
    reply = dns.message.make_response(query, recursion_available=True)
    name = str(query.question[0].name)
    if name == "example.test.":
        reply.answer.append(dns.rrset.from_text(name, 5, "IN", "A", "192.0.2.77"))
    elif name == "many.test." and tcp:
        reply.answer.append(dns.rrset.from_text_list(name, 5, "IN", "A", MANY))
    elif name == "many.test.":
        reply.flags |= dns.flags.TC
    else:
        reply.set_rcode(3)
    return reply.to_wire()

def serve_stream():
    while True:
        connection, _ = stream.accept()
        with connection, connection.makefile("rb") as file:
            while size := int.from_bytes(file.read(2), "big"):
                reply = answer(file.read(size), True)
                connection.sendall(len(reply).to_bytes(2, "big") + reply)

threading.Thread(target=serve_stream, daemon=True).start()
print("up", flush=True)
while True:
    data, address = datagrams.recvfrom(4096)
    datagrams.sendto(answer(data, False), address)
"""


@pytest.fixture
def outside(node, made):
    """A name server in a container of its own."""
    vm = made("outside", 46, told="")
    pid = node.task("machine_load", uuid=vm)["vm"]["pid"]
    server = subprocess.Popen(
        ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", SERVER, "10.153.240.46"], stdout=subprocess.PIPE
    )
    assert server.stdout.readline() == b"up\n"
    yield "10.153.240.46"
    server.kill()
    server.wait()


def test_other_names_are_asked_of_the_containers_own_servers(node, made, outside):
    me = made("me", 47, resolvers=["10.153.240.47", outside])  # nobody listens at the first
    assert glibc(node, me, "example.test") == ["192.0.2.77"]
    assert glibc(node, me, "nowhere.test") == []
    assert glibc(node, me, "me") == ["10.153.240.47"]


def test_an_answer_that_is_too_long_for_udp_is_asked_for_by_tcp(node, made, outside):
    me = made("me", 53, resolvers=[outside])
    assert len(glibc(node, me, "many.test")) == 60


def test_who_is_out_of_the_containers_reach_is_not_asked_for_it(node, made, outside):
    me = made("me", 48, resolvers=[outside], nics=[])
    node.task("machine_update", uuid=me, set_internal_metadata={KEY: endpoint()}, add_nics=[apart(48)])
    assert glibc(node, me, "example.test") == []


def apart(number):
    """A nic on another network, which has no gateway."""
    found = {**nic(number), "network_uuid": "0c0ffee0-0000-4000-8000-00000000000b", "ip": f"10.153.248.{number}"}
    del found["gateway"]
    return found


def test_names_outlive_the_agent(node, made):
    me, web = made("me", 49), made("web", 50)
    node.crash()
    node.start()
    until(lambda: glibc(node, me, "web") == ["10.153.240.50"])
    assert glibc(node, web, "me") == ["10.153.240.49"]
    node.task("machine_shutdown", uuid=web, timeout=0)
    assert glibc(node, me, "web") == []
