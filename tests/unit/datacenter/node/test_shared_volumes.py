"""Shared volumes beside real containers: storage VMs are folders, mounted by many, filled once, kept apart."""

from __future__ import annotations

import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.datacenter.node.node_kit import NETWORK, TaskFailed

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

ADDRESSES = iter(range(20, 200))


class Share:
    """A storage VM and the ways to mount it."""

    def __init__(self, node, owner="jack") -> None:
        self.node, self.owner, self.uuid = node, owner, str(uuid.uuid4())
        self.nic = {"ip": f"10.153.240.{next(ADDRESSES)}", "network_uuid": NETWORK}
        self.told = node.task(
            "machine_create",
            uuid=self.uuid,
            owner_uuid=owner,
            nics=[self.nic],
            internal_metadata={"sdc:system_role": "nfsvolumestorage"},
        )

    @property
    def data(self):
        return self.node.state / "volumes" / self.uuid / "data"

    def mounted(self, target="/shared", mode="rw", **options):
        """What a container that mounts it is created with."""
        item = {"name": "v", "mountpoint": target, "mode": mode, "nfsvolume": f"{self.nic['ip']}:/exports/data"}
        return {
            "meta": {"docker:nfsvolumes": json.dumps([item])},
            "linux": {"NetworkNone": True, "VolumeOptions": {target: options}},
            "owner_uuid": self.owner,
            "nics": [{"network_uuid": NETWORK}],
        }


@pytest.fixture
def share(node):
    return Share(node)


def test_a_storage_vm_has_a_life_of_its_own(node, share):
    assert share.told["vm"]["state"] == "stopped"
    assert node.task("machine_boot", uuid=share.uuid)["vm"]["state"] == "running"
    assert node.task("machine_load", uuid=share.uuid)["vm"]["zone_state"] == "running"
    node.task("machine_create", uuid=share.uuid, internal_metadata={"sdc:system_role": "nfsvolumestorage"})
    assert node.task("machine_load", uuid=share.uuid)["vm"]["state"] == "running"
    (share.data / "file").write_bytes(b"x" * 1000)
    assert node.task("docker_exec", uuid=share.uuid, command={"DiskUsage": True}) == {"Written": 1000}
    for name, params in (("docker_exec", {"command": {"Cmd": ["sh"]}}), ("machine_proc", {})):
        with pytest.raises(TaskFailed):
            node.task(name, uuid=share.uuid, **params)
    node.crash()
    node.start()
    assert node.task("machine_load", uuid=share.uuid)["vm"]["state"] == "running"
    node.task("machine_destroy", uuid=share.uuid)
    assert not share.data.exists()
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_load", uuid=share.uuid)
    assert failed.value.code == "VmNotFound"


def test_what_one_container_writes_another_reads(node, share):
    assert node.run("sh", "-c", "echo kept > /shared/file", **share.mounted())[0] == 0
    assert node.run("cat", "/other/place/file", **share.mounted("/other/place")) == (0, "kept\n")
    status, text = node.run("sh", "-c", "touch /shared/x", **share.mounted(mode="ro"))
    assert (status, "Read-only" in text) == (1, True)


def test_two_running_containers_share(node, share):
    reader = node.create("sh", "-c", "until [ -s /shared/f ]; do sleep 0.05; done; cat /shared/f", **share.mounted())
    node.task("machine_boot", uuid=reader)
    assert node.run("sh", "-c", "echo now > /shared/f", **share.mounted())[0] == 0
    assert node.wait(reader)["exit_status"] == 0
    assert node.log(reader) == "now\n"


def test_an_empty_volume_is_filled_from_the_image_when_the_container_is_made(node, share):
    node.create("true", **share.mounted("/data"))
    assert node.run("cat", "/shared/seed", **share.mounted()) == (0, "from the image\n")
    found = (share.data / "seed").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 1000, 1000)


def test_a_volume_with_anything_in_it_is_left_as_it_is(node, share):
    (share.data / "mine").touch()
    assert node.run("ls", "/data", **share.mounted("/data")) == (0, "mine\n")


def test_a_volume_is_not_filled_where_that_is_not_wanted(node, share):
    assert node.run("ls", "/data", **share.mounted("/data", NoCopy=True)) == (0, "")


def test_a_read_only_mount_is_filled_too(node, share):
    assert node.run("cat", "/data/seed", **share.mounted("/data", mode="ro")) == (0, "from the image\n")


def test_the_image_itself_is_not_changed(node, share):
    node.run("sh", "-c", "echo changed > /data/seed", **share.mounted("/data"))
    assert node.run("cat", "/data/seed") == (0, "from the image\n")


def test_several_containers_are_made_at_once_with_a_new_volume(node, share):
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: node.create("true", **share.mounted("/data")), range(4)))
    assert [path.name for path in share.data.iterdir()] == ["seed"]
    assert sorted(path.name for path in share.data.parent.iterdir()) == ["data", "vm.json"]


@pytest.mark.parametrize("why", ["owner", "network", "gone"])
def test_a_volume_that_a_container_may_not_have(node, share, why):
    """Addresses are no secrets: what is behind them is its own account's, on its own network."""
    options = share.mounted()
    if why == "owner":
        options["owner_uuid"] = "jill"
    elif why == "network":
        options["nics"] = [{"network_uuid": "0c0ffee0-0000-4000-8000-00000000000b"}]
    else:
        node.task("machine_destroy", uuid=share.uuid)
    with pytest.raises(TaskFailed) as failed:
        node.create("true", **options)
    assert (failed.value.code, failed.value.message) == ("InitFailed", "volume v is not there any more")


def test_a_container_whose_volume_was_taken_away_does_not_start(node, share):
    vm = node.create("true", **share.mounted())
    node.task("machine_destroy", uuid=share.uuid)
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert failed.value.code == "InitFailed"


def test_files_are_copied_into_a_volume_of_a_container_that_never_ran(node, share):
    (share.data / "inside").write_text("here\n")
    vm = node.create("true", **share.mounted())
    found = node.task("docker_copy", uuid=vm, mode="stat", path="/shared/inside")
    assert found["containerPathStat"]["size"] == 5


@pytest.fixture
def parts(share):
    """A volume with folders, a file, and links that lead out of it."""
    for name in ("a/b", "empty"):
        (share.data / name).mkdir(parents=True)
    (share.data / "a" / "b" / "file").write_text("a part\n")
    for name, target in (("good", "a/b"), ("out", "../../.."), ("far", "/etc"), ("again", "out")):
        (share.data / name).symlink_to(target)
    return share


@pytest.mark.parametrize("path", ["a/b", "good"])
def test_a_folder_of_a_volume_is_mounted(node, parts, path):
    assert node.run("cat", "/shared/file", **parts.mounted(Subpath=path)) == (0, "a part\n")
    assert node.run("sh", "-c", "echo more > /shared/new", **parts.mounted(Subpath=path))[0] == 0
    assert (parts.data / "a" / "b" / "new").read_text() == "more\n"
    vm = node.create("true", **parts.mounted(Subpath=path, mode="ro"))
    assert node.task("docker_copy", uuid=vm, mode="stat", path="/shared/file")["containerPathStat"]["size"] == 7
    assert node.run("touch", "/shared/x", **parts.mounted(Subpath=path, mode="ro"))[0] == 1


def test_a_file_of_a_volume_is_mounted(node, parts):
    assert node.run("cat", "/f", **parts.mounted("/f", Subpath="a/b/file")) == (0, "a part\n")


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("none", "VolumePathNotFound", "cannot access path none: no such file or directory"),
        ("a/b/file/x", "VolumePathNotFound", "cannot access path a/b/file/x: not a directory"),
        ("out", "VolumePathEscapes", "path concatenation escapes the base directory: out leads out of its volume"),
        ("far/passwd", "VolumePathEscapes", "path concatenation escapes"),
        ("again", "VolumePathEscapes", "path concatenation escapes"),
    ],
)
def test_a_part_that_is_not_in_the_volume_fails_the_start(node, parts, path, code, said):
    vm = node.create("true", **parts.mounted(Subpath=path))
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert (failed.value.code, failed.value.message.startswith(said)) == (code, True)
    assert node.task("machine_load", uuid=vm)["vm"]["exit_status"] == 128


def test_an_empty_part_is_filled_and_the_rest_left_alone(node, parts):
    assert node.run("cat", "/data/seed", **parts.mounted("/data", Subpath="empty")) == (0, "from the image\n")
    assert sorted(path.name for path in parts.data.iterdir()) == ["a", "again", "empty", "far", "good", "out"]
    assert node.run("ls", "/data", **parts.mounted("/data", Subpath="a/b")) == (0, "file\n")
    node.create("true", **parts.mounted("/data", Subpath="out"))
    assert not (parts.data.parent / "seed").exists()
