"""Who reaches a container: its account's others, and whoever its firewall rules name, as they are at the moment."""

from __future__ import annotations

import json
import subprocess

import pytest

from gateway.local.instance import ROOT
from tests.contract.npm.conftest import modules  # noqa: F401 - a fixture
from tests.contract.npm.test_triton import Triton
from tests.e2e.conftest import wait_for
from tests.unit.datacenter.node.test_portmap import heard

pytestmark = pytest.mark.docker

SERVE = "nc -ll -p 8080 -e echo hello & exec nc -ll -p 9090 -e echo hello"


def serving(container, *options):
    """A container that says hello on 8080 and 9090."""
    return container(*options, "busybox", "sh", "-c", SERVE)


def ask(docker, ref, address, port):
    """What a container hears from an address; nothing where its packets are lost, and none is refused."""
    done = docker("exec", ref, "nc", "-w", "1", address, str(port))
    assert b"refused" not in done.stderr
    return done.stdout


def inner(docker, ref):
    return docker.inspect(ref, "{{.NetworkSettings.Networks.bridge.IPAddress}}")


def vm_of(docker, ref):
    digits = docker.inspect(ref, "{{.Id}}")[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@pytest.fixture(scope="module")
def account(running, tmp_path_factory):
    """Make accounts that have the image busybox."""
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    subprocess.run(["sh", str(ROOT / "tools/busybox-image.sh"), str(archive)], check=True)

    def make(login):
        docker = running.account(login)
        docker.ok("import", str(archive), "busybox")
        return docker

    return make


@pytest.fixture(scope="module")
def bob(account):
    return account("fw-bob")


@pytest.fixture
def stranger(bob):
    """Another account, and a container of it with an address outside."""
    ref = bob.ok("run", "-d", "-p", "7", "busybox", "sleep", "600")
    yield bob, ref
    bob("rm", "-f", ref)


@pytest.fixture
def rule(running):
    """Make rules through FWAPI; they are gone after the test."""
    made = []

    def make(text, owner_uuid):
        asked = {"owner_uuid": owner_uuid, "enabled": True, "rule": text}
        made.append(running.http("fwapi", "/rules", "POST", asked)["uuid"])
        return made[-1]

    yield make
    for uuid in made:
        running.http("fwapi", f"/rules/{uuid}", "DELETE")


def test_containers_of_an_account_reach_one_another_on_every_port(docker, container):
    web, other = serving(container), container("busybox", "sleep", "600")
    address = inner(docker, web)
    assert wait_for(lambda: ask(docker, other, address, 8080)) == b"hello\n"
    assert ask(docker, other, address, 9090) == ask(docker, web, "127.0.0.1", 9090) == b"hello\n"
    docker.ok("exec", other, "ping", "-c1", "-W3", address)
    assert heard(address, 8080) == b""


def test_a_published_port_is_open_to_everybody_and_no_other_is(docker, container, stranger):
    bob, ref = stranger
    web = serving(container, "-p", "8080:8080")
    address = docker.ok("port", web, "8080").partition(":")[0]
    assert wait_for(lambda: heard(address, 8080)) == b"hello\n"
    assert ask(bob, ref, address, 8080) == b"hello\n"
    assert heard(address, 9090) == b""
    assert ask(bob, ref, address, 9090) == b""
    docker.ok("rm", "-f", web)


def test_a_port_under_another_number_is_open_under_both(docker, container):
    web = serving(container, "-p", "18080:8080")
    address = docker.ok("port", web, "8080").partition(":")[0]
    assert wait_for(lambda: heard(address, 18080)) == heard(address, 8080) == b"hello\n"
    assert heard(address, 9090) == b""


@pytest.mark.parametrize("process", ["services", "node"])
def test_rules_hold_whatever_dies(running, docker, container, stranger, rule, process):
    bob, ref = stranger
    web = serving(container, "-p", "8080:8080")
    address, vm_uuid = docker.ok("port", web, "8080").partition(":")[0], vm_of(docker, web)
    vm = running.http("vmapi", f"/vms/{vm_uuid}")
    owner = vm["owner_uuid"]
    if process == "node":
        number = running.http("cnapi", f"/servers/{vm['server_uuid']}")["hostname"].rpartition("-cn")[2]
        process = f"node-{number}"
    opened = rule(f"FROM any TO vm {vm_uuid} ALLOW tcp PORT 9090", owner)
    running.kill(process)
    assert wait_for(lambda: ask(bob, ref, address, 9090)) == b"hello\n"
    assert ask(bob, ref, address, 8080) == b"hello\n"
    running.http("fwapi", f"/rules/{opened}", "PUT", {"enabled": False, "owner_uuid": owner})
    wait_for(lambda: not ask(bob, ref, address, 9090))
    late = container("busybox", "sleep", "600")
    assert ask(docker, late, inner(docker, web), 9090) == b"hello\n"


@pytest.fixture
def tina(running, account, modules, tmp_path):  # noqa: F811
    """An account with containers ``web`` and ``other``: its docker, and its triton."""
    docker = account("fw-tina")
    key = tmp_path / ".ssh" / "id_rsa"
    key.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    told = {"name": f"laptop-{tmp_path.name}", "key": key.with_suffix(".pub").read_text()}
    running.http("mahi", "/embedded/accounts/fw-tina/keys", "POST", told)
    argv = ["ssh-keygen", "-l", "-E", "md5", "-f", str(key)]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    triton = Triton(
        tmp_path, modules, running.instance.url("cloudapi"), "fw-tina", told.split()[1].removeprefix("MD5:")
    )
    (tmp_path / "profile.json").write_text(json.dumps(triton.profile))
    triton("profile", "create", "-f", str(tmp_path / "profile.json"), "--no-docker", "--yes")
    triton("profile", "set-current", "emb")
    try:
        docker.ok("run", "-d", "--name", "web", "busybox", "sh", "-c", SERVE)
        docker.ok("run", "-d", "--name", "other", "busybox", "sleep", "600")
        yield docker, triton
    finally:
        docker("rm", "-f", "web", "other")
        for found in triton.listed("fwrules"):
            if found.get("global"):
                continue
            triton("fwrule", *(("enable",) if "sdc_docker" in found["rule"] else ("delete", "-f")), found["id"])


def rules(triton, word):
    return [found["id"] for found in triton.listed("fwrules") if word in found["rule"]]


@pytest.mark.npm
def test_triton_s_rules_take_effect_while_a_container_runs(tina):
    docker, triton = tina
    address, vm_uuid = inner(docker, "web"), vm_of(docker, "web")
    assert heard(address, 9090) == b""
    triton("fwrule", "create", f"FROM any TO vm {vm_uuid} ALLOW tcp PORT 9090")
    (made,) = rules(triton, "9090")
    assert wait_for(lambda: heard(address, 9090)) == b"hello\n"
    triton("fwrule", "disable", made)
    wait_for(lambda: not heard(address, 9090))
    triton("fwrule", "enable", made)
    assert wait_for(lambda: heard(address, 9090)) == b"hello\n"
    triton("fwrule", "update", made, "rule=FROM any TO all vms ALLOW tcp PORT 8080")
    assert wait_for(lambda: heard(address, 8080)) == b"hello\n"
    assert heard(address, 9090) == b""
    triton("fwrule", "delete", "-f", made)
    wait_for(lambda: not heard(address, 8080))
    triton("instance", "disable-firewall", "-w", vm_uuid)
    assert wait_for(lambda: heard(address, 9090)) == b"hello\n"


@pytest.mark.npm
def test_an_account_s_own_rules_may_be_switched_off_and_others_made(tina):
    docker, triton = tina
    address = inner(docker, "web")
    assert ask(docker, "other", address, 9090) == b"hello\n"
    for made in rules(triton, "sdc_docker"):
        triton("fwrule", "disable", made)
    wait_for(lambda: not ask(docker, "other", address, 9090))
    triton("instance", "tag", "set", "-w", vm_of(docker, "other"), "friend=true")
    triton("fwrule", "create", "FROM tag friend TO all vms ALLOW tcp PORT 9090")
    triton("fwrule", "create", "FROM any TO all vms BLOCK icmp TYPE 8 PRIORITY 1")
    assert wait_for(lambda: ask(docker, "other", address, 9090)) == b"hello\n"
    assert ask(docker, "other", address, 8080) == b""
    wait_for(lambda: b"100% packet loss" in docker("exec", "other", "ping", "-c1", "-W1", address).stdout)
    triton("fwrule", "create", "FROM tag friend TO all vms ALLOW icmp TYPE 8 CODE 0 PRIORITY 2")
    wait_for(lambda: docker("exec", "other", "ping", "-c1", "-W1", address).returncode == 0)
    triton("fwrule", "create", "FROM tag friend TO any BLOCK tcp PORT 9090")
    wait_for(lambda: not ask(docker, "other", address, 9090))
