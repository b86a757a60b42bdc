"""Copies into and out of real containers, running or not, through a real agent."""

from __future__ import annotations

import io
import json
import socket
import tarfile

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, until

pytestmark = pytest.mark.node

VOLUME = "0c0ffee0-0000-4000-8000-0000000000f1"


@pytest.fixture(params=["running", "stopped", "created"])
def vm(node, request):
    """A container with a file, and links that would lead out of it, in each state."""
    script = "echo data > /tmp/f; sleep 600" if request.param == "running" else "echo data > /tmp/f"
    made = node.create("sh", "-c", script)
    if request.param == "created":
        put(node, made, "/tmp", ("f", b"data\n"))
    else:
        node.task("machine_boot", uuid=made)
        if request.param == "stopped":
            node.wait(made)
        until(lambda: exists(node, made, "/tmp/f"))
    yield made
    node.task("machine_destroy", uuid=made)


def copy(node, vm, path, mode, **options):
    return node.task("docker_copy", uuid=vm, path=path, mode=mode, **options)


def exists(node, vm, path):
    try:
        return copy(node, vm, path, "stat")
    except TaskFailed as failure:
        if failure.code == "FileNotFound":
            return None
        raise


def connect(answer):
    return socket.create_connection((answer["host"], answer["port"]), timeout=20)


def read(node, vm, path, **options) -> tarfile.TarFile:
    with connect(copy(node, vm, path, "read", **options)) as connection:
        return tarfile.open(fileobj=io.BytesIO(connection.makefile("rb").read()))


def content(node, vm, path) -> bytes:
    archive = read(node, vm, path)
    return archive.extractfile(archive.getmembers()[0]).read()


def tar(*entries) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, value in entries:
            info = tarfile.TarInfo(name)
            if isinstance(value, str):
                info.type, info.linkname = tarfile.SYMTYPE, value
            elif value is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(value)
            archive.addfile(info, io.BytesIO(value) if isinstance(value, bytes) else None)
    return out.getvalue()


def put(node, vm, path, *entries, **options) -> dict:
    with connect(copy(node, vm, path, "write", report=True, **options)) as connection:
        connection.sendall(tar(*entries))
        connection.shutdown(socket.SHUT_WR)
        return json.loads(connection.makefile("rb").read())


def test_what_is_put_in_can_be_taken_out(node, vm):
    assert content(node, vm, "/tmp/f") == b"data\n"
    assert put(node, vm, "/tmp", ("sub", None), ("sub/g", b"x" * 300_000)) == {}
    assert content(node, vm, "/tmp/sub/g") == b"x" * 300_000
    assert read(node, vm, "/tmp/sub").getnames() == ["sub", "sub/g"]


def test_links_never_lead_out(node, vm, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    links = [("abs", str(secret)), ("dir", str(tmp_path)), ("up", "../" * 12 + str(secret).lstrip("/"))]
    assert put(node, vm, "/tmp", *links) == {}
    for path in ("/tmp/abs/.", "/tmp/dir/secret", "/tmp/up/", "/tmp/dir/."):
        with pytest.raises(TaskFailed, match="no such file"):
            copy(node, vm, path, "read")
    assert read(node, vm, "/tmp/abs").getmembers()[0].linkname == str(secret)
    with pytest.raises(TaskFailed):
        copy(node, vm, "/tmp/dir", "write")
    assert "error" in put(node, vm, "/tmp", ("dir/secret", b"mine"))
    assert put(node, vm, "/tmp", ("out", ".."), ("out/etc/mine", b"inside")) == {}
    assert secret.read_text() == "the host's"
    assert content(node, vm, "/etc/mine") == b"inside"


def test_stat_is_dockers(node, vm):
    found = copy(node, vm, "/tmp", "stat")["containerPathStat"]
    assert (found["name"], found["mode"]) == ("tmp", 1 << 31 | 1 << 20 | 0o777)
    link = copy(node, vm, "/bin/sh", "stat")["containerPathStat"]
    assert (link["name"], link["mode"], link["linkTarget"]) == ("sh", 1 << 27 | 0o777, "/bin/busybox")


@pytest.mark.parametrize(
    ("path", "mode", "code"),
    [
        ("/none", "stat", "FileNotFound"),
        ("/none/sub", "read", "FileNotFound"),
        ("/none", "write", "FileNotFound"),
        ("/tmp/f", "write", "PathNotDirectory"),
        ("/tmp/f/", "read", "PathNotDirectory"),
        ("", "read", "InvalidParameters"),
        ("/" + "x" * 300, "read", "InvalidParameters"),
        ("/" + "x/" * 3000, "stat", "InvalidParameters"),
        ("/tmp", "move", "InvalidParameters"),
    ],
)
def test_what_cannot_be_is_named(node, vm, path, mode, code):
    with pytest.raises(TaskFailed) as caught:
        copy(node, vm, path, mode)
    assert caught.value.code == code


def test_a_failed_extraction_is_reported(node, vm):
    put(node, vm, "/tmp", ("d", None))
    report = put(node, vm, "/tmp", ("d", b"file"), no_overwrite_dir_non_dir=True)
    assert report["error"]["restCode"] == "ExtractionFailed"
    assert "cannot overwrite directory" in report["error"]["message"]
    assert "invalid path" in put(node, vm, "/tmp", ("../x", b"1"))["error"]["message"]


def test_export_is_the_root_alone(node, vm):
    names = read(node, vm, "/", bare=True).getnames()
    assert "tmp/f" in names
    assert "bin/busybox" in names
    assert not any(name.startswith(("proc/", "sys/", "/")) for name in names)


def test_a_device_is_copied_and_never_opened(node, vm):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        device = tarfile.TarInfo("zero")
        device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 5
        archive.addfile(device)
    with connect(copy(node, vm, "/tmp", "write", report=True)) as connection:
        connection.sendall(out.getvalue())
        connection.shutdown(socket.SHUT_WR)
        assert json.loads(connection.makefile("rb").read()) == {}
    entry = read(node, vm, "/tmp/zero").getmembers()[0]
    assert entry.ischr()
    assert (entry.devmajor, entry.devminor) == (1, 5)


def test_volumes_belong_to_the_container(node):
    volume = {"source": VOLUME, "target": "/data", "type": "lofs"}
    vm = node.create("cat", "/data/in", filesystems=[volume])
    assert content(node, vm, "/data/seed") == b"from the image\n"
    put(node, vm, "/data", ("in", b"volume\n"))
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    assert node.log(vm) == "volume\n"
    assert "data/in" not in read(node, vm, "/", bare=True).getnames()
    node.task("machine_destroy", uuid=vm)


def test_what_is_read_only_stays_as_it_is(node):
    vm = node.create("true", linux={"ReadonlyRootfs": True})
    with pytest.raises(TaskFailed, match="read-only"):
        copy(node, vm, "/tmp", "write")
    assert content(node, vm, "/etc/group")
    volume = {"source": VOLUME, "target": "/data", "type": "lofs", "options": ["ro"]}
    other = node.create("true", filesystems=[volume])
    with pytest.raises(TaskFailed, match="read-only"):
        copy(node, other, "/data", "write")
    assert put(node, other, "/tmp", ("x", b"1")) == {}


def test_owners_are_the_archives_or_the_users(node):
    vm = node.create("true", meta={"docker:user": "app"})
    put(node, vm, "/tmp", ("theirs", b"1"))
    put(node, vm, "/tmp", ("ours", b"1"), copy_uid_gid=True)
    assert read(node, vm, "/tmp/theirs").getmembers()[0].uid == 0
    entry = read(node, vm, "/tmp/ours").getmembers()[0]
    assert (entry.uid, entry.gid) == (1000, 1000)


def test_a_stopped_root_is_let_go_and_can_be_booted_and_destroyed_during_a_copy(node):
    vm = node.create("sh", "-c", "cat /tmp/x; sleep 600")
    put(node, vm, "/tmp", ("x", b"before\n"))
    with connect(copy(node, vm, "/tmp", "write")) as connection:
        node.task("machine_boot", uuid=vm)
        until(lambda: node.log(vm) == "before\n")
        connection.sendall(tar(("late", b"seen")))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert content(node, vm, "/tmp/late") == b"seen"
    with connect(copy(node, vm, "/tmp", "write")):
        node.task("machine_destroy", uuid=vm)
    trash = node.state / "nodes" / "0" / "trash"
    until(lambda: not list(trash.iterdir()))


def test_changes_are_what_the_container_did(node):
    script = (
        "echo x > /new; echo x >> /etc/group; rm /etc/passwd; chmod 700 /root; mkdir -p /a/b;"
        "rm -r /data; mkdir /data; echo 1 > /data/own; touch /tmp"
    )
    vm = node.create("sh", "-c", script)
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    found = {change["Path"]: change["Kind"] for change in node.task("docker_changes", uuid=vm)["changes"]}
    assert found == {
        "/a": 1,
        "/a/b": 1,
        "/data": 0,
        "/data/own": 1,
        "/data/seed": 2,
        "/etc": 0,
        "/etc/group": 0,
        "/etc/passwd": 2,
        "/new": 1,
        "/root": 0,
    }


def test_stats_are_sampled_until_the_end(node):
    vm = node.create("sh", "-c", "sleep 2")
    with pytest.raises(TaskFailed, match="not running"):
        node.task("docker_stats", uuid=vm, payload={"doStream": True})
    node.task("machine_boot", uuid=vm)
    with connect(node.task("docker_stats", uuid=vm, payload={"doStream": True})) as connection:
        documents = [json.loads(line) for line in connection.makefile("rb")]
    first, second = documents[:2]
    assert second["precpu_stats"] == first["cpu_stats"]
    assert second["preread"] == first["read"]
    assert second["cpu_stats"]["system_cpu_usage"] > first["cpu_stats"]["system_cpu_usage"]
    assert first["pids_stats"]["limit"] == 200
    assert first["pids_stats"]["current"] in {1, 2}  # the shell, with or without its sleep
    assert first["memory_stats"]["limit"] == 128 << 20
    assert 0 < first["memory_stats"]["usage"] < 128 << 20


def test_one_sample_is_compared_or_at_once(node):
    vm = node.create("sleep", "600")
    node.task("machine_boot", uuid=vm)

    def one(**payload):
        with connect(node.task("docker_stats", uuid=vm, payload=payload)) as connection:
            (line,) = connection.makefile("rb").read().splitlines()
            return json.loads(line)

    assert one(doStream=False)["precpu_stats"]["system_cpu_usage"] > 0
    assert "system_cpu_usage" not in one(doStream=False, oneShot=True)["precpu_stats"]
    node.task("machine_destroy", uuid=vm)
