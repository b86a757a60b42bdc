"""What is looked up in, and written for, a container's root."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node import rootfs, spawn
from datacenter.node.conmon import pid_in
from datacenter.node.programs import check_program
from datacenter.node.rootpath import resolve
from datacenter.node.signals import signal_number
from datacenter.node.tasks import TaskError
from datacenter.node.users import User, find_user
from datacenter.node.zone import Zone

UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "bin" / "sh").write_text("")
    (root / "bin" / "sh").chmod(0o755)
    (root / "bin" / "plain").write_text("")
    (root / "usr").mkdir()
    (root / "usr" / "bin").symlink_to("/bin")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n#c\napp:x:1000:1001::/home/app:\nbad:x\n")
    (root / "etc" / "group").write_text("root:x:0:\napp:x:1001:\nteam:x:50:root,app\nother:x:60:app\n")
    return root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/bin/sh", "bin/sh"),
        ("../../etc", "etc"),
        ("/usr/bin/../x", "x"),
        ("/none/at/all", "none/at/all"),
        ("/", ""),
    ],
)
def test_resolve(root, path, expected):
    assert resolve(root, path) == root / expected


def test_resolve_ends_in_circles(root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        resolve(root, "/a")


@given(target=st.text(alphabet="./ab", max_size=12), path=st.text(alphabet="./al", max_size=12))
def test_nothing_resolves_outside(tmp_path_factory, target, path):
    root = tmp_path_factory.mktemp("root")
    (root / "a").mkdir()
    if target:
        (root / "l").symlink_to(target)
    try:
        found = resolve(root, path)
    except OSError:
        return  # a circle
    assert found == root or root in found.parents
    assert ".." not in found.parts


@pytest.mark.parametrize(
    ("text", "extra", "expected"),
    [
        ("", (), User(0, 0, (0, 50), "/root")),
        ("app", (), User(1000, 1001, (1001, 50, 60), "/home/app")),
        ("1000", (), User(1000, 1001, (1001, 50, 60), "/home/app")),
        ("app:team", (), User(1000, 50, (50,), "/home/app")),
        ("4242", (), User(4242, 0, (0,), "/")),
        ("4242:4343", ("team", "77"), User(4242, 4343, (4343, 50, 77), "/")),
    ],
)
def test_users(root, text, extra, expected):
    assert find_user(root, text, extra) == expected


@pytest.mark.parametrize(
    ("text", "extra", "message"),
    [
        ("no_such_user", (), "unable to find user no_such_user: no matching entries in passwd file"),
        ("app:nobodies", (), "unable to find group nobodies: no matching entries in group file"),
        ("app", ("nobodies",), "unable to find supplementary group nobodies: no matching entries in group file"),
    ],
)
def test_unknown_users_and_groups(root, text, extra, message):
    with pytest.raises(TaskError) as failure:
        find_user(root, text, extra)
    assert failure.value.message == message


def test_root_needs_no_passwd(tmp_path):
    assert find_user(tmp_path, "") == User(0, 0, (0,), "/root")


@pytest.mark.parametrize("name", ["sh", "/bin/sh", "/usr/bin/sh", "./sh"])
def test_programs_that_can_run(root, name):
    check_program(root, name, ["PATH=/none:/bin"], "/bin")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nope", "InitNotFound", 'exec: "nope": executable file not found in $PATH'),
        ("plain", "InitNotExecutable", 'exec: "plain": permission denied'),
        ("/bin", "InitNotExecutable", 'exec: "/bin": is a directory'),
        ("/bin/sh/x", "InitNotFound", 'exec: "/bin/sh/x": stat /bin/sh/x: no such file or directory'),
    ],
)
def test_programs_that_cannot(root, name, code, message):
    with pytest.raises(TaskError) as failure:
        check_program(root, name, ["PATH=/none:/bin"], "/")
    assert (failure.value.rest_code, failure.value.message) == (code, message)


def zone(tmp_path, **record):
    folder = tmp_path / UUID
    folder.mkdir()
    return Zone(folder, {"uuid": UUID, **record})


def test_hosts_file():
    meta = {"docker:extraHosts": '["v6:::1"]', "docker:linkHosts": "10.0.0.9 db\n", "docker:id": "c" * 64}
    text = rootfs.hosts({"uuid": UUID, "internal_metadata": meta, "nics": [{"ip": "10.0.0.5"}], "dns_domain": "d.e"})
    assert text.splitlines()[-3:] == ["::1\tv6", "10.0.0.9 db", f"10.0.0.5\t{'c' * 12}.d.e {'c' * 12}"]


def test_a_zone_comes_back_from_disk(tmp_path):
    before = zone(tmp_path, alias="x")
    before.change_life(state="running", pid=7)
    after = Zone.load(before.folder)
    assert (after.record, after.life, after.running) == (before.record, before.life, True)
    assert after.started.is_set()
    assert not after.ended.is_set()


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIGTERM", 15), ("usr1", 10), (9, 9), ("37", 37), ("RTMIN+3", 37), ("SIGRTMAX-1", 63), ("SIGRTMIN", 34)],
)
def test_signals(name, number):
    assert signal_number(name) == number


@pytest.mark.parametrize("name", ["SIGNOPE", "0x9", "999", "TERM+", ""])
def test_bad_signals(name):
    with pytest.raises(TaskError, match="Invalid signal"):
        signal_number(name)


def test_programs_run_without_a_fork():
    assert spawn.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr\n")


def test_descriptors_are_lent_where_asked():
    reader, writer = os.pipe()
    process = spawn.start(["sh", "-c", "echo hi >&5"], fds={5: writer})
    os.close(writer)
    assert spawn.read_all(reader) == b"hi\n"
    assert process.wait() == 0


def test_pid_files(tmp_path):
    assert pid_in(tmp_path / "none") is None
    (tmp_path / "pid").write_text("12\n")
    assert pid_in(tmp_path / "pid") == 12


def test_a_workdir_is_made_inside_whatever_becomes_of_the_tree_meanwhile(tmp_path, root, monkeypatch):
    outside, mkdir = tmp_path / "outside", os.mkdir
    outside.mkdir()
    (root / "w").mkdir()

    def swapped(*arguments, **how):
        if not (root / "w").is_symlink():
            (root / "w").rename(root / "moved")
            (root / "w").symlink_to(outside)
        mkdir(*arguments, **how)

    monkeypatch.setattr(os, "mkdir", swapped)
    rootfs.make_workdir(SimpleNamespace(rootfs=root, metadata={"docker:workdir": "/w/deep"}))
    assert (root / "moved" / "deep").is_dir()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("workdir", "made"), [("/usr/bin/x", "bin/x"), ("a/../b//c", "b/c"), ("/../d", "d"), ("/", "")]
)
def test_a_workdir_is_found_as_the_container_would(root, workdir, made):
    rootfs.make_workdir(SimpleNamespace(rootfs=root, metadata={"docker:workdir": workdir}))
    assert (root / made).is_dir()
    assert (root / made).stat().st_mode & 0o777 == 0o755
