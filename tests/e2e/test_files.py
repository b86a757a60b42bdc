"""Files of containers through the docker CLI: cp, export, diff."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture(params=["running", "stopped", "created"])
def box(docker, request):
    """A container in each state; it says what is in /in when it is started."""
    name = f"files-{request.param}"
    docker.ok("create", "--name", name, "busybox", "sh", "-c", "cat /in 2>/dev/null; [ -e /stay ] && sleep 600 || true")
    if request.param != "created":
        if request.param == "running":
            docker.ok("cp", "-", f"{name}:/", stdin=archive("stay", b""))
        docker.ok("start", name)
        if request.param == "stopped":
            docker.ok("wait", name)
    yield name
    docker("rm", "-f", name)


def archive(name: str, data: bytes, uid: int = 0, mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.uid, info.gid, info.mode = len(data), uid, uid, mode
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    return {entry.name: entry for entry in tarfile.open(fileobj=io.BytesIO(data)).getmembers()}


def test_files_and_folders_go_in_and_out(docker, box, tmp_path):
    (tmp_path / "dir/sub").mkdir(parents=True)
    (tmp_path / "dir/sub/b").write_bytes(os.urandom(3_000_000))
    (tmp_path / "dir/a").write_text("a")
    (tmp_path / "dir/l").symlink_to("a")
    docker.ok("cp", str(tmp_path / "dir"), f"{box}:/opt")
    docker.ok("cp", str(tmp_path / "dir") + "/.", f"{box}:/srv")
    docker.ok("cp", f"{box}:/opt/dir", str(tmp_path / "back"))
    assert (tmp_path / "back/sub/b").read_bytes() == (tmp_path / "dir/sub/b").read_bytes()
    assert os.readlink(tmp_path / "back/l") == "a"
    docker.ok("cp", f"{box}:/srv/a", str(tmp_path / "renamed"))
    assert (tmp_path / "renamed").read_text() == "a"


def test_what_was_copied_in_is_there_for_the_program(docker, box, tmp_path):
    (tmp_path / "in").write_text("from outside")
    docker.ok("cp", str(tmp_path / "in"), f"{box}:/in")
    docker.ok("restart", "-t", "0", box)
    assert "from outside" in docker.ok("logs", "-f" if box != "files-running" else "-t", box)


def test_owners_modes_and_links_are_kept(docker, box, tmp_path):
    docker.ok("cp", "-", f"{box}:/tmp", stdin=archive("o", b"o", uid=1234, mode=0o640))
    entry = members(docker("cp", f"{box}:/tmp/o", "-").stdout)["o"]
    assert (entry.uid, entry.gid, entry.mode) == (1234, 1234, 0o640)
    docker.ok("cp", f"{box}:/bin/sh", str(tmp_path / "sh"))
    assert (tmp_path / "sh").is_symlink() or (tmp_path / "sh").stat().st_size > 100_000
    docker.ok("cp", "-L", f"{box}:/bin/sh", str(tmp_path / "followed"))
    assert not (tmp_path / "followed").is_symlink()


def test_what_cannot_be_copied_is_said(docker, box, tmp_path):
    missing = docker("cp", f"{box}:/no/such", str(tmp_path))
    assert missing.returncode == 1
    assert f"Could not find the file /no/such in container {box}" in missing.stderr.decode()
    (tmp_path / "f").write_text("x")
    nowhere = docker("cp", str(tmp_path / "f"), f"{box}:/none/there/f")
    assert nowhere.returncode == 1
    over = docker("cp", str(tmp_path / "f"), f"{box}:/etc/group/x")
    assert over.returncode == 1
    broken = docker("cp", "-", f"{box}:/tmp", stdin=b"no tar" * 200)
    assert broken.returncode == 1


def test_a_copy_leaves_the_container_as_it_was(docker, box):
    before = docker.inspect(box, "{{.State.Status}} {{.State.ExitCode}}")
    docker.ok("cp", "-", f"{box}:/tmp", stdin=archive("x", b"1"))
    assert docker.inspect(box, "{{.State.Status}} {{.State.ExitCode}}") == before


def test_a_container_can_be_stopped_right_after_a_client_left_in_the_middle(docker, container):
    name = container(
        "busybox", "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null; touch /made; sleep 600"
    )
    docker.ok("exec", name, "sh", "-c", "until [ -e /made ]; do sleep 0.1; done")
    client = docker.start("cp", f"{name}:/big", "-", stdout=-1)
    client.stdout.read(1000)
    client.kill()
    client.stdout.close()
    client.wait()
    docker.ok("stop", "-t", "0", name, timeout=30)


def test_volumes_are_part_of_cp_and_not_of_export(docker):
    docker.ok("create", "--name", "files-volume", "-v", "/data", "busybox", "cat", "/data/x")
    docker.ok("cp", "-", "files-volume:/data", stdin=archive("x", b"in the volume"))
    assert docker.ok("start", "-a", "files-volume") == "in the volume"
    names = members(docker("export", "files-volume").stdout)
    assert "bin/busybox" in names or "bin/sh" in names
    assert "data/x" not in names
    docker.ok("rm", "files-volume")


def test_diff_lists_what_changed(docker, container):
    name = container("busybox", "sh", "-c", "echo x > /newf; rm /etc/group; mkdir /d; touch /d/f")
    docker.ok("wait", name)
    assert docker.ok("diff", name).splitlines() == ["A /d", "A /d/f", "C /etc", "D /etc/group", "A /newf"]


def test_an_export_can_be_imported(docker, container):
    name = container("busybox", "sh", "-c", "echo kept > /kept")
    docker.ok("wait", name)
    docker.ok("import", "-", "exported:1", stdin=docker("export", name).stdout)
    assert docker.ok("run", "--rm", "exported:1", "cat", "/kept") == "kept"
    docker.ok("rmi", "exported:1")


def test_other_accounts_files_are_not_there(running, docker, container):
    name = container("busybox", "sleep", "600")
    bob = running.account("filesbob", approved_for_provisioning=True)
    for command in (["cp", f"{name}:/etc", "-"], ["export", name], ["diff", name], ["stats", "--no-stream", name]):
        refused = bob(*command)
        assert refused.returncode == 1
        assert "No such container" in refused.stderr.decode()
