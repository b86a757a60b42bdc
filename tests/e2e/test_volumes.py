"""Named volumes with the real docker CLI: kept, shared across nodes, filled once, apart from other accounts."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


@pytest.fixture
def volume(docker, request):
    """The name of a volume that is gone after the test, whoever makes it."""
    name = f"v-{request.node.name.replace('_', '-')[:60]}"
    yield name
    docker("volume", "rm", "-f", name)


def node_of(running, docker, ref):
    uuid = docker.inspect(ref, "{{.Id}}")[:32]
    dashed = "-".join([uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]])
    return running.http("vmapi", f"/vms/{dashed}")["server_uuid"]


def test_what_is_written_stays_and_is_shared_between_nodes(docker, running, container, volume):
    container("--name", "vol-writer", "-v", f"{volume}:/data", "busybox", "sh", "-c", "echo kept > /data/f; sleep 600")
    container(
        *("--name", "vol-reader", "-e", "affinity:container!=vol-writer", "-v", f"{volume}:/other:ro"),
        *("busybox", "sleep", "600"),
    )
    assert node_of(running, docker, "vol-writer") != node_of(running, docker, "vol-reader")
    assert docker.ok("exec", "vol-reader", "cat", "/other/f") == "kept"
    assert docker("exec", "vol-reader", "touch", "/other/f").returncode == 1
    docker.ok("exec", "vol-writer", "sh", "-c", "echo more >> /data/f")
    assert docker.ok("exec", "vol-reader", "cat", "/other/f") == "kept\nmore"
    told = docker("volume", "rm", volume)
    writer, reader = (docker.inspect(name, "{{.Id}}") for name in ("vol-writer", "vol-reader"))
    assert told.stderr.decode().strip() == (
        f"Error response from daemon: remove {volume}: volume is in use - [{writer}, {reader}]"
    )
    docker.ok("rm", "-fv", "vol-writer", "vol-reader")
    assert docker.ok("run", "--rm", "-v", f"{volume}:/x", "busybox", "cat", "/x/f") == "kept\nmore"
    docker.ok("volume", "rm", volume)
    assert docker("volume", "inspect", volume).returncode == 1


def test_a_new_volume_is_filled_from_the_image_and_an_old_one_is_not(docker, volume):
    wanted = docker.ok("run", "--rm", "busybox", "ls", "/bin")
    docker.ok("rm", docker.ok("create", "-v", f"{volume}:/bin", "busybox", "true"))
    assert docker.ok("run", "--rm", "-v", f"{volume}:/x", "busybox", "ls", "/x") == wanted
    docker.ok("run", "--rm", "-v", f"{volume}:/x", "busybox", "sh", "-c", "rm -rf /x/*; touch /x/mine")
    assert docker.ok("run", "--rm", "-v", f"{volume}:/tmp", "busybox", "ls", "/tmp") == "mine"


def test_a_part_of_a_volume_is_mounted_and_a_missing_one_is_told(docker, volume):
    docker.ok("run", "--rm", "-v", f"{volume}:/v", "busybox", "sh", "-c", "mkdir /v/sub; echo part > /v/sub/f")
    mount = f"type=volume,src={volume},dst=/p,volume-subpath="
    assert docker.ok("run", "--rm", "--mount", f"{mount}sub", "busybox", "cat", "/p/f") == "part"
    docker.ok("create", "--name", "vol-part", "--mount", f"{mount}sub/f", "busybox", "cat", "/p")
    assert docker.ok("run", "--rm", "--volumes-from", "vol-part", "busybox", "cat", "/p") == "part"
    docker.ok("rm", "vol-part")
    for path, code, said in (
        ("none", 127, "cannot access path none: no such file or directory"),
        ("../x", 125, "subpath must be a relative path within the volume"),
    ):
        done = docker("run", "--rm", "--mount", f"{mount}{path}", "busybox", "true")
        assert (done.returncode, said in done.stderr.decode()) == (code, True), done


def test_copies_reach_into_a_volume(docker, volume, tmp_path):
    (tmp_path / "file").write_text("from outside\n")
    ref = docker.ok("create", "-v", f"{volume}:/data", "busybox", "true")
    docker.ok("cp", str(tmp_path / "file"), f"{ref}:/data/file")
    docker.ok("rm", ref)
    assert docker.ok("run", "--rm", "-v", f"{volume}:/x", "busybox", "cat", "/x/file") == "from outside"


def test_a_container_that_cannot_be_made_leaves_no_volume(docker, running, volume):
    refused = docker("create", "-v", f"{volume}:/data", "-v", "/etc:/x", "busybox", "true")
    assert b"binding /etc is not allowed" in refused.stderr
    refused = docker("create", "-v", f"{volume}:/data", "-e", "affinity:container==nobody-here", "busybox", "true")
    assert refused.returncode == 1
    assert volume not in docker.ok("volume", "ls", "-q").splitlines()
    assert volume not in [known["name"] for known in running.http("volapi", "/volumes")]


def test_other_accounts_have_volumes_of_their_own(docker, running, volume):
    docker.ok("run", "--rm", "-v", f"{volume}:/data", "busybox", "sh", "-c", "echo secret > /data/f")
    bob = running.account("volume-bob")
    assert bob.ok("volume", "ls", "-q") == ""
    assert b"no such volume" in bob("volume", "rm", volume).stderr
    assert json.loads(bob.ok("volume", "create", volume) and bob.ok("volume", "inspect", volume))[0]["Labels"] is None
    bob.ok("volume", "rm", volume)
    assert docker.ok("run", "--rm", "-v", f"{volume}:/x", "busybox", "cat", "/x/f") == "secret"


def lasting(docker, name: str) -> int:
    """Run a container on a volume until it is not refused: how often that was."""
    for refused in range(40):
        if docker("run", "--rm", "-v", f"{name}:/data", "busybox", "touch", "/data/f").returncode == 0:
            return refused
        time.sleep(0.25)
    raise AssertionError(f"no container on {name}")


def test_volumes_that_are_being_made_survive_a_kill(docker, running):
    """The services are killed while containers and volumes come to be: nothing is left of those that were refused."""
    names = [f"killed-{number}" for number in range(4)]
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(lasting, docker, name) for name in names]
        wait_for(lambda: running.http("volapi", "/volumes?name=killed-*"))
        running.kill("services")
        refused = sum(run.result() for run in runs)
    never_started = [docker.ok("ps", "-aq", "-f", "status=created", "-f", f"volume={name}") for name in names]
    left = " ".join(never_started).split()
    assert len(left) <= refused
    if left:
        docker.ok("rm", "-f", *left)
    dangling = ("volume", "ls", "-q", "-f", "name=killed-", "-f", "dangling=true")
    wait_for(lambda: sorted(docker.ok(*dangling).splitlines()) == names)
    assert running.http("volapi", "/volumereservations") == []
    docker.ok("volume", "rm", *names)


def test_prunes(docker, volume):
    anonymous = docker.ok("volume", "create")
    docker.ok("volume", "create", "--label", "prune=me", volume)
    assert anonymous in docker.ok("volume", "prune", "-f")
    assert volume not in docker.ok("system", "prune", "-f", "--volumes")  # anonymous ones alone
    assert volume in docker.ok("volume", "prune", "-af", "--filter", "label=prune=me")
    assert docker("volume", "inspect", volume).returncode == 1
