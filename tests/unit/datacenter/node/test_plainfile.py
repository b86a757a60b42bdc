"""Whatever a container puts in the place of its account files, and of those about names: its node goes on."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import pytest

from datacenter.node import rootfs
from datacenter.node.plainfile import MOST, read_plain
from datacenter.node.users import find_user
from tests.unit.datacenter.node.node_kit import nic, until
from tests.unit.datacenter.node.stdio_client import session

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")


def test_the_beginning_of_a_file_is_read(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"text")
    assert read_plain(file) == b"text"
    os.truncate(file, 1 << 40)
    assert len(read_plain(file)) == MOST


@pytest.mark.parametrize("make", ["pipe", "folder", "link", "socket"])
def test_what_is_no_plain_file_is_not_opened(tmp_path, make):
    path = tmp_path / "x"
    if make == "pipe":
        os.mkfifo(path)
    elif make == "folder":
        path.mkdir()
    elif make == "link":
        path.symlink_to("/etc/hostname")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    with pytest.raises(OSError, match="Invalid argument"):
        read_plain(path)


def test_users_are_found_beside_a_pipe(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc" / "passwd")
    os.mkfifo(tmp_path / "etc" / "group")
    assert find_user(tmp_path, "7:8").uid == 7


@pytest.mark.parametrize(
    ("held", "after"),
    [
        (b"10.0.0.5\tcell\nown\xff line\n", b"own\xff line\n10.0.0.6\tcell\n"),
        (b"x" * (MOST + 1), b"x" * (MOST + 1)),
    ],
    ids=["odd bytes", "too long"],
)
def test_hosts_follow_a_change_of_nics(tmp_path, held, after):
    (tmp_path / "hosts").write_bytes(held)
    zone = SimpleNamespace(bundle=tmp_path, record={"uuid": "u", "hostname": "cell"})
    rootfs.change_hosts(zone, [{"ip": "10.0.0.5"}], [{"ip": "10.0.0.6"}])
    assert (tmp_path / "hosts").read_bytes() == after


@pytest.mark.node
@root_only
def test_an_agent_goes_on_beside_a_container_that_lays_traps(node):
    traps = "cd /etc; busybox rm -f passwd group; busybox mkfifo passwd; busybox truncate -s 1000000000000 group hosts"
    vm = node.create("sh", "-c", f"{traps}; echo laid; sleep 600", nics=[nic(51)])
    node.task("machine_boot", uuid=vm)
    until(lambda: "laid" in node.log(vm))
    assert session(node, vm, Cmd=["echo", "here"]).rest()[0] == b"here\n"
    node.task("machine_update", uuid=vm, add_nics=[{**nic(52), "interface": "net1", "primary": False}])
    node.task("machine_reboot", uuid=vm, timeout=0)
    assert node.task("machine_load", uuid=vm)["vm"]["state"] == "running"
    node.task("machine_destroy", uuid=vm)
