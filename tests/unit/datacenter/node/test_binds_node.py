"""Folders of the host in real containers: what is found and what is refused, also when somebody plants links meanwhile."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, TestedNode, free_instance

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """What the operator lets containers have, and beside it what they must not get at."""
    host = tmp_path_factory.mktemp("host")
    (host / "open").mkdir()
    (host / "secret").write_text("secret\n")
    (host / "vault").mkdir()
    (host / "vault" / "file").write_text("secret\n")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(host / "open" / "socket"))
    return host


@pytest.fixture(scope="module")
def node(center, host, tmp_path_factory):
    allowed = [str(host / "open"), str(host / "open" / "socket"), "/proc/version"]
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, free_instance(), host_binds=allowed)
    try:
        node.start()
        yield node
    finally:
        node.clean_up()


@pytest.fixture
def folder(host):
    """A folder that may be bound, with a file in it."""
    folder = Path(tempfile.mkdtemp(dir=host / "open"))
    (folder / "file").write_text("of the host\n")
    return folder


def bound(host, source, target="/b", **more):
    """What a container is created with that has a path of the host."""
    item = {"Source": str(source), "Target": target, "Within": str(host / "open"), **more}
    return {"linux": {"NetworkNone": True, "HostBinds": [item]}}


def refused(node, *cmd, **options):
    with pytest.raises(TaskFailed) as failed:
        node.create(*cmd, **options)
    return failed.value.code, failed.value.message


def test_both_sides_see_what_the_other_writes(node, host, folder):
    script = "cat /b/file; echo from inside > /b/new"
    assert node.run("sh", "-c", script, **bound(host, folder)) == (0, "of the host\n")
    assert (folder / "new").read_text() == "from inside\n"
    for readonly, code in ((False, 0), (True, 1)):
        one = bound(host, folder / "file", "/f", ReadOnly=readonly)
        assert node.run("sh", "-c", "cat /f; echo 2>&- > /f", **one) == (code, "of the host\n")
        assert (folder / "file").read_text() == ("of the host\n" if readonly else "\n")
        (folder / "file").write_text("of the host\n")


def test_readonly_is_readonly_below_other_mounts_too(node, host, folder):
    (folder / "sub").mkdir()
    _inside(node, "mount", "-t", "tmpfs", "tmpfs", folder / "sub")
    try:
        for path in ("/b/x", "/b/sub/x"):
            status, text = node.run("touch", path, **bound(host, folder, ReadOnly=True))
            assert (status, "Read-only" in text) == (1, True)
        flat = bound(host, folder, ReadOnly=True, ReadOnlyRecursive=False)
        assert node.run("sh", "-c", "touch /b/sub/x && ! touch /b/x", **flat)[0] == 0
        with pytest.raises(TaskFailed, match="read-only"):
            node.task("docker_copy", uuid=node.create("true", **flat), mode="write", path="/b")
        assert node.run("test", "-f", "/b/sub/x", **bound(host, folder))[0] == 0
        assert node.run("test", "-f", "/b/sub/x", **bound(host, folder, Recursive=False))[0] == 1
    finally:
        _inside(node, "umount", folder / "sub")


def test_a_missing_folder_is_made_where_that_is_asked_for(node, host, folder):
    assert node.run("touch", "/b/x", **bound(host, folder / "a" / "b", Create=True))[0] == 0
    found = (folder / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o755, 0)
    assert (folder / "a" / "b" / "x").exists()
    said = f'invalid mount config for type "bind": bind source path does not exist: {folder}/none'
    assert refused(node, "true", **bound(host, folder / "none")) == ("InvalidBind", said)
    assert not (folder / "none").exists()
    vm = node.create("true", **bound(host, folder / "file" / "x", Create=True))
    with pytest.raises(TaskFailed, match="error while creating mount source path .*: not a directory"):
        node.task("machine_boot", uuid=vm)
    assert node.task("machine_load", uuid=vm)["vm"]["exit_status"] == 128


@pytest.mark.parametrize("link", ["../../secret", "../../vault", "/etc", "/proc/self/root/etc"])
def test_links_lead_nowhere_else(node, host, folder, link):
    (folder / "inner").symlink_to("file")
    assert node.run("cat", "/f", **bound(host, folder / "inner", "/f")) == (0, "of the host\n")
    (folder / "out").symlink_to(link)
    for make in (False, True):
        code, message = refused(node, "true", **bound(host, folder / "out", Create=make))
        assert (code, message) == ("BindForbidden", f"{folder}/out leads out of {host}/open")
    assert refused(node, "true", **bound(host, folder / "out" / "passwd", Create=True))[0] == "BindForbidden"


def test_a_link_that_is_planted_after_the_create_is_found_at_the_start(node, host, folder):
    (folder / "x").mkdir()
    vm = node.create("cat", "/b/file", **bound(host, folder / "x"))
    (folder / "x").rmdir()
    (folder / "x").symlink_to(host / "vault")
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert failed.value.code == "BindForbidden"
    assert node.log(vm) == ""


def test_swapping_links_under_a_start_wins_nothing(node, host, folder):
    """A race, run a few dozen times: every start has the right folder or none."""
    (folder / "x").mkdir()
    (folder / "x" / "file").write_text("right\n")
    (folder / "evil").symlink_to(host / "vault")
    over = threading.Event()

    def swap():
        while not over.is_set():
            for before, after in (("x", "right"), ("evil", "x"), ("x", "evil"), ("right", "x")):
                (folder / before).rename(folder / after)

    vm, codes = node.create("cat", "/b/file", **bound(host, folder / "x")), set()
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(30):
            try:
                node.task("machine_boot", uuid=vm)
            except TaskFailed as failed:
                codes.add(failed.code)
            else:
                node.wait(vm)
                codes.add("")
    finally:
        over.set()
        swapping.join()
    assert "secret" not in node.log(vm)
    assert codes <= {"", "BindForbidden", "InvalidBind"}


def test_what_is_no_file_needs_an_operator_who_names_it(node, host, folder):
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for name in ("pipe", "null"):
        said = f"{folder}/{name} is neither a folder nor a plain file"
        assert refused(node, "true", **bound(host, folder / name)) == ("BindForbidden", said)
    assert node.run("test", "-S", "/s", **bound(host, host / "open" / "socket", "/s"))[0] == 0
    status, text = node.run("cat", "/v", **bound(host, "/proc/version", "/v", Within="/proc/version"))
    assert (status, text.startswith("Linux")) == (0, True)


def test_what_is_not_below_a_prefix_is_refused(node, host, folder):
    for source, within in (("/etc", "/etc"), (host / "vault", host / "open"), ("/proc/1", "/proc/version")):
        said = f"{source} is below nothing that may be bound on this node"
        assert refused(node, "true", **bound(host, source, Within=str(within))) == ("BindForbidden", said)


def test_a_folder_with_a_door_of_the_kernel_in_it(node, host, folder):
    (folder / "proc").mkdir()
    _inside(node, "mount", "-t", "proc", "proc", folder / "proc")
    try:
        said = f"{folder} has a proc of the host mounted in it"
        assert refused(node, "true", **bound(host, folder)) == ("BindForbidden", said)
        said = f"{folder}/proc is a place of the host's kernel or services"
        assert refused(node, "true", **bound(host, folder / "proc")) == ("BindForbidden", said)
        assert node.run("test", "-e", "/b/proc/1", **bound(host, folder, Recursive=False))[0] == 1
    finally:
        _inside(node, "umount", folder / "proc")


def test_a_program_may_lie_in_what_is_mounted(node, host, folder):
    (folder / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (folder / "run.sh").chmod(0o755)
    assert node.run("/b/run.sh", **bound(host, folder)) == (0, "ran\n")
    for name, code in (("/b/none", "InitNotFound"), ("/b/file", "InitNotExecutable")):
        vm = node.create(name, **bound(host, folder))
        with pytest.raises(TaskFailed) as failed:
            node.task("machine_boot", uuid=vm)
        assert failed.value.code == code, failed.value.message


def test_copies_see_binds_and_keep_to_their_mode(node, host, folder):
    vm = node.create("true", **bound(host, folder, ReadOnly=True))
    assert node.task("docker_copy", uuid=vm, mode="stat", path="/b/file")["containerPathStat"]["size"] == 12
    with pytest.raises(TaskFailed) as failed:
        node.task("docker_copy", uuid=vm, mode="write", path="/b")
    assert failed.value.code == "ReadOnlyFileSystem"


def test_destroying_a_container_leaves_the_host_its_files(node, host, folder):
    for signalled in (False, True):
        vm = node.create("sleep", "600", **bound(host, folder))
        node.task("machine_boot", uuid=vm)
        inside = _inside(node, "mount", "--bind", folder, f"/run/tdg/{node.mark}/staging/left")
        assert inside.returncode, "there is no such place yet"
        if signalled:
            _inside(node, "mkdir", f"/run/tdg/{node.mark}/staging/left")
            assert not _inside(node, "mount", "--bind", folder, f"/run/tdg/{node.mark}/staging/left").returncode
            node.crash()
            node.start()
        assert _inside(node, "ls", f"/run/tdg/{node.mark}/staging").stdout == b""
        node.task("machine_destroy", uuid=vm)
        assert (folder / "file").read_text() == "of the host\n"


def _inside(node, *argv):
    """Run a program in the node's mount namespace."""
    pin = node.state / "nodes" / "0" / "ns" / "mnt"
    return subprocess.run(["nsenter", f"--mount={pin}", *argv], capture_output=True, check=False)


def test_the_data_centers_own_files_are_never_given(center, tmp_path_factory, host):
    place = tmp_path_factory.mktemp("whole")
    node = TestedNode(place / "state", center.port_base + 1, free_instance(), host_binds=[str(place)])
    try:
        node.start()
        for source in (place, place / "state", place / "state" / "nodes"):
            said = f"{source} has the data center's own files in it"
            assert refused(node, "true", **bound(host, source, Within=str(place))) == ("BindForbidden", said)
    finally:
        node.clean_up()
