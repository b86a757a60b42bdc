"""Folders of the machine in containers, through the docker CLI, where the instance's operator allows them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture
def folder(host_folder):
    folder = Path(tempfile.mkdtemp(dir=host_folder))

    (folder / "file").write_text("of the host\n")
    return folder


def test_a_folder_goes_in_and_what_is_written_comes_out(docker, folder):
    assert docker.ok("run", "--rm", "-v", f"{folder}:/b:ro", "busybox", "cat", "/b/file") == "of the host"
    docker.ok("run", "--rm", "-v", f"{folder}/made/here:/b", "busybox", "sh", "-c", "echo out > /b/new")
    assert (folder / "made" / "here" / "new").read_text() == "out\n"
    mount = f"type=bind,src={folder}/file,dst=/f,readonly"
    assert docker("run", "--rm", "--mount", mount, "busybox", "sh", "-c", "echo > /f").returncode == 1


def test_a_mount_of_nothing_is_refused_as_dockerd_refuses_it(docker, folder):
    done = docker("run", "--name", "bind-nothing", "--mount", f"type=bind,src={folder}/no,dst=/b", "busybox", "true")
    said = f'invalid mount config for type "bind": bind source path does not exist: {folder}/no'
    assert (done.returncode, said in done.stderr.decode()) == (125, True)
    assert docker("inspect", "bind-nothing").returncode == 1


def test_inspect_copies_and_removal(docker, container, folder):
    ref = container("-v", f"{folder}:/b", "busybox", "sleep", "600")
    wanted = {"Type": "bind", "Source": str(folder), "Destination": "/b", "Mode": "", "RW": True}
    assert json.loads(docker.inspect(ref, "{{json .Mounts}}")) == [wanted | {"Propagation": "rprivate"}]
    assert docker.inspect(ref, "{{index .HostConfig.Binds 0}}") == f"{folder}:/b"
    docker.ok("cp", f"{ref}:/b/file", str(folder / "copy"))
    docker.ok("cp", str(folder / "copy"), f"{ref}:/b/back")
    assert (folder / "back").read_text() == docker.ok("exec", ref, "cat", "/b/copy") + "\n"
    docker.ok("rm", "-fv", ref)
    assert (folder / "file").read_text() == "of the host\n"


def test_links_out_other_paths_and_other_accounts_get_nothing(docker, running, folder):
    planted = docker("run", "--rm", "-v", f"{folder}:/b", "busybox", "ln", "-s", "/etc", "/b/out")
    assert planted.returncode == 0
    bob = running.account("bind-bob")
    bob.ok("load", stdin=docker("save", "busybox").stdout)
    for who, path, said in (
        (docker, folder / "out", f"{folder}/out leads out of {folder.parent}"),
        (docker, "/etc", "binding /etc is not allowed"),
        (bob, folder, "host volumes are not supported"),
    ):
        done = who("run", "--rm", "-v", f"{path}:/b", "busybox", "ls", "/b")
        assert (done.returncode, said in done.stderr.decode()) == (125, True), done
