"""Images through the docker CLI: to a registry and back, into an archive and back; ids and digests stay the same."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
import uuid
from pathlib import Path

import pytest

BINARY = shutil.which("docker-registry") or shutil.which("registry")
pytestmark = [pytest.mark.docker, pytest.mark.skipif(BINARY is None, reason="docker-registry is not installed")]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """host:port of a running registry."""
    folder: Path = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.json"  # JSON is YAML
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host}}))
    process = subprocess.Popen([BINARY, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", int(host.partition(":")[2])), 1).close()
            break
        except OSError:
            time.sleep(0.02)
    yield host
    process.terminate()
    process.wait(10)


@pytest.fixture
def image(docker):
    """The id of an image of this test's own; its names and itself are gone afterwards."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(f"only/{uuid.uuid4()}")
        info.size = 300_000
        tar.addfile(info, io.BytesIO(uuid.uuid4().bytes * 18750))
    change = 'LABEL told="a=<b> && c"'  # what encoders of JSON write differently
    made = docker.ok("import", "--change", change, "-", stdin=out.getvalue())
    yield made
    docker("rmi", "-f", made)


def known(docker, name: str) -> dict:
    return json.loads(docker.ok("image", "inspect", name))[0]


def events(docker, since: str, action: str) -> list[dict]:
    until = str(time.time())
    told = docker.ok("events", "--since", since, "--until", until, "--filter", f"event={action}", "--format", "json")
    return [json.loads(line) for line in told.splitlines()]


def test_pushed_removed_and_pulled_back(docker, registry, image):
    name, since = f"{registry}/team/app:v1", str(time.time())
    docker.ok("tag", image, name)
    told = docker.ok("push", name)
    digest = told.rpartition("digest: ")[2].split()[0]
    assert told.startswith(f"The push refers to repository [{registry}/team/app]")
    assert f"{known(docker, image)['RootFS']['Layers'][0][7:19]}: Pushed" in told
    assert known(docker, name)["RepoDigests"] == [f"{registry}/team/app@{digest}"]
    assert ": Layer already exists" in docker.ok("push", name)
    (event, _) = events(docker, since, "push")
    assert (event["Type"], event["Actor"]["ID"]) == ("image", name)
    assert event["Actor"]["Attributes"]["name"] == f"{registry}/team/app"

    docker.ok("rmi", name)
    assert docker("image", "inspect", image).returncode == 1
    pulled = docker.ok("pull", name)
    assert f"Digest: {digest}" in pulled
    assert known(docker, name)["Id"] == image


def test_all_tags_and_a_mount_from_another_repository(docker, registry, image):
    first, second = f"{registry}/one:a", f"{registry}/one:b"
    docker.ok("tag", image, first)
    docker.ok("tag", image, second)
    told = docker.ok("push", "--all-tags", f"{registry}/one")
    assert [line.split(":")[0] for line in told.splitlines() if "digest: " in line] == ["a", "b"]
    docker.ok("tag", image, f"{registry}/two:c")
    assert ": Mounted from one" in docker.ok("push", f"{registry}/two:c")


def test_pushes_that_fail(docker, registry, image):
    docker.ok("tag", image, f"{registry}/x:1")
    for name, words in (
        (f"{registry}/nope:1", f"An image does not exist locally with the tag: {registry}/nope"),
        (f"{registry}/x:2", f"tag does not exist: {registry}/x:2"),
    ):
        done = docker("push", name)
        assert (done.returncode, done.stderr.decode().strip()) == (1, words)
    docker.ok("tag", image, "127.0.0.1:1/x:1")
    done = docker("push", "127.0.0.1:1/x:1")
    assert done.returncode == 1
    assert "127.0.0.1:1 could not be reached" in done.stderr.decode()


def test_saved_and_loaded(docker, image, tmp_path):
    since = str(time.time())
    docker.ok("tag", image, "saved/app:1")
    docker.ok("tag", "busybox", "saved/box:2")
    docker.ok("save", "-o", str(tmp_path / "both.tar"), "saved/app:1", "saved/box:2")
    box = known(docker, "saved/box:2")["Id"]
    assert [event["Actor"]["ID"] for event in events(docker, since, "save")] == [image, box]
    docker.ok("rmi", "saved/app:1", "saved/box:2")
    docker("rmi", image)
    assert docker.ok("load", "-i", str(tmp_path / "both.tar")).splitlines() == [
        "Loaded image: saved/app:1",
        "Loaded image: saved/box:2",
    ]
    assert (known(docker, "saved/app:1")["Id"], known(docker, "saved/box:2")["Id"]) == (image, box)
    assert {event["Actor"]["ID"] for event in events(docker, since, "load")} == {image, box}
    assert docker.ok("run", "--rm", "saved/box:2", "echo", "alive") == "alive"
    docker.ok("rmi", "saved/box:2", "saved/app:1")


def test_another_account_neither_pushes_nor_saves_it(docker, running, registry, image):
    name, ines = f"{registry}/mine:1", running.account("ines")
    docker.ok("tag", image, name)
    for args in (("save", image), ("save", name), ("push", name)):
        assert ines(*args).returncode == 1
    assert docker.ok("push", name)


def test_what_prune_frees_is_what_df_said(docker, image):
    def reclaimable() -> int:
        rows = [json.loads(line) for line in docker.ok("system", "df", "-v", "--format", "json").splitlines()]
        return sum(1 for item in rows[0]["Images"] if item["ID"].startswith(image[:19]))

    assert reclaimable() == 1
    told = docker.ok("image", "prune", "-f", "--filter", "label=told")
    assert f"deleted: {image}" in told.lower()
    assert "Total reclaimed space: 3" in told  # of 300 kB and the archive's own
    assert reclaimable() == 0
