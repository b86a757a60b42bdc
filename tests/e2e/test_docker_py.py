"""docker-py, the library that Ansible, Testcontainers and many a script are built on, against the gateway."""

from __future__ import annotations

import io
import tarfile
import time
from contextlib import suppress

import docker as docker_py
import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker

LABEL = "docker-py"
CHATTY = ["sh", "-c", "echo hello out; echo hello err >&2"]


@pytest.fixture(scope="module")
def client(docker):
    """A client as alice, over TLS. requests would rather heed the machine's own list of authorities."""
    tls = docker_py.tls.TLSConfig(
        (str(docker.certs / "cert.pem"), str(docker.certs / "key.pem")), verify=str(docker.certs / "ca.pem")
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        client = docker_py.DockerClient(base_url=docker.host, tls=tls, timeout=60)
        yield client
        client.close()


@pytest.fixture
def start(client):
    """Run containers in the background; they are gone after the test."""
    made = []

    def run(command="sleep 600", **options):
        made.append(client.containers.run("busybox", command, detach=True, labels=[LABEL], **options))
        return made[-1]

    yield run
    for container in made:
        with suppress(docker_py.errors.NotFound):
            container.remove(force=True)


def unpacked(pieces, name):
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        return archive.extractfile(name).read()


def packed(name, content):
    with io.BytesIO() as out:
        with tarfile.open(fileobj=out, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return out.getvalue()


def test_run_gives_output_or_raises_with_what_was_said(client):
    assert client.containers.run("busybox", CHATTY, remove=True) == b"hello out\n"
    assert client.containers.run("busybox", "sh -c 'echo $A'", environment={"A": "b c"}, remove=True) == b"b c\n"
    with pytest.raises(docker_py.errors.ContainerError) as failed:
        client.containers.run("busybox", "sh -c 'echo why >&2; exit 5'", remove=True)
    assert (failed.value.exit_status, failed.value.stderr) == (5, b"why\n")
    with pytest.raises(docker_py.errors.ContainerError) as missing:
        client.containers.run("busybox", "sh -c 'exit 6'")
    missing.value.container.remove()
    lines = client.containers.run("busybox", "sh -c 'echo 1; sleep 0.2; echo 2'", stream=True, remove=True)
    assert list(lines) == [b"1\n", b"2\n"]


def test_a_container_s_life(client, start):
    container = start(name="py-life", ports={"80/tcp": None}, healthcheck={"test": ["CMD", "true"], "interval": 10**9})
    container.reload()
    assert (container.status, container.attrs["Config"]["Labels"][LABEL]) == ("running", "")
    assert [port["HostPort"] for port in container.ports["80/tcp"]] == ["80"]
    assert container in client.containers.list(filters={"label": LABEL, "name": "py-life"})
    assert container.top()["Processes"][0][-1] == "sleep 600"
    figures = container.stats(stream=False)
    assert figures["memory_stats"]["usage"] > 0
    assert figures["id"] == container.id
    container.exec_run("sh -c 'echo new > /new'")
    assert {"Path": "/new", "Kind": 1} in container.diff()
    image = container.commit("py-committed", "1")
    assert client.containers.run("py-committed:1", "cat /new", remove=True) == b"new\n"
    client.images.remove(image.id)
    for act, state in (
        (container.pause, "paused"),
        (container.unpause, "running"),
        (container.restart, "running"),
        (container.kill, "exited"),
    ):
        act(**({"timeout": 0} if act == container.restart else {}))
        wait_for(lambda state=state: container.reload() or container.status == state)
    assert container.wait()["StatusCode"] == 137
    container.rename("py-renamed")
    assert client.containers.get("py-renamed").id == container.id
    assert [each.id for each in client.containers.list(all=True, filters={"status": "exited", "label": LABEL})] == [
        container.id
    ]


def test_files(start):
    container = start()
    assert container.put_archive("/tmp", packed("file", b"\0content\xff"))
    pieces, facts = container.get_archive("/tmp/file")
    assert (unpacked(pieces, "file"), facts["name"], facts["size"]) == (b"\0content\xff", "file", 9)
    with pytest.raises(docker_py.errors.NotFound):
        container.get_archive("/none-such")


def test_exec_is_framed_as_its_start_asks_and_not_as_its_terminal_is(client, start):
    container = start()
    assert container.exec_run(CHATTY, demux=True) == (0, (b"hello out\n", b"hello err\n"))
    assert container.exec_run(CHATTY, tty=True) == (0, b"hello out\r\nhello err\r\n")
    api = client.api
    for tty, start_tty, newline in ((True, False, b"\r\n"), (True, True, b"\r\n"), (False, True, b"\n")):
        made = api.exec_create(container.id, CHATTY, tty=tty)
        told = api.exec_start(made, tty=start_tty)
        assert sorted(told.split(newline)) == [b"", b"hello err", b"hello out"], (tty, start_tty)
    made = api.exec_create(container.id, CHATTY, tty=True)
    assert api.exec_start(made, demux=True) == (b"hello out\r\nhello err\r\n", None)
    assert api.exec_inspect(made)["ExitCode"] == 0
    with container.exec_run("cat", stdin=True, socket=True).output as talk:
        talk.sendall(b"to and fro\n")
        told = b""
        while len(told) < 19:  # docker-py's own reader polls a socket whose bytes TLS has taken in already
            told += talk.recv(64)
    assert told == b"\1\0\0\0\0\0\0\x0bto and fro\n"


def test_attach_without_a_stream_is_what_was_written_and_waits_for_nothing(client, start):
    ended, running = start(CHATTY), start(["sh", "-c", "echo hello; exec sleep 600"])
    ended.wait()
    wait_for(running.logs)
    assert ended.attach(stream=False, logs=True, stderr=False) == b"hello out\n"
    assert ended.attach(stream=False, logs=True, stdout=False) == b"hello err\n"
    assert running.attach(stream=False, logs=True) == b"hello\n"
    assert running.attach(stream=False, logs=False) == b""
    created = client.containers.create("busybox", "true")
    try:
        assert created.attach(stream=False, logs=True) == b""
    finally:
        created.remove()


def test_wait_ends_with_a_run_though_the_container_is_started_again(start):
    container = start(["sh", "-c", "sleep 0.5; exit 3"], restart_policy={"Name": "always"})
    assert container.wait()["StatusCode"] == 3
    assert container.wait()["StatusCode"] == 3


def test_a_volume_of_one_network_in_a_container_of_another(client, start):
    client.volumes.create("py-vol", labels={LABEL: ""})
    pool = docker_py.types.IPAMConfig(pool_configs=[docker_py.types.IPAMPool(subnet="10.77.6.0/24")])
    network = client.networks.create("py-net", labels={LABEL: ""}, ipam=pool)
    try:
        container = start(
            "sh -c 'echo kept > /data/f; exec sleep 600'",
            network="py-net",
            volumes={"py-vol": {"bind": "/data", "mode": "rw"}},
        )
        network.disconnect(container)
        network.connect(container, aliases=["py-alias"], ipv4_address="10.77.6.20")
        container.reload()
        joined = container.attrs["NetworkSettings"]["Networks"]["py-net"]
        assert (joined["IPAMConfig"], joined["IPAddress"]) == ({"IPv4Address": "10.77.6.20"}, "10.77.6.20")
        other = start(network="py-net", volumes=["py-vol:/data:ro"])
        assert other.exec_run("nslookup py-alias").exit_code == 0
        wait_for(lambda: other.exec_run("cat /data/f").output == b"kept\n")
        network.reload()
        assert {each.id for each in network.containers} == {container.id, other.id}
        assert client.volumes.get("py-vol").attrs["Labels"] == {LABEL: ""}
        for each in (container, other):
            each.kill()
        gone = client.containers.prune(filters={"label": LABEL})["ContainersDeleted"]
        assert {container.id, other.id} <= set(gone)
        assert client.networks.prune(filters={"label": LABEL})["NetworksDeleted"] == ["py-net"]
        assert client.volumes.prune(filters={"label": LABEL, "all": True})["VolumesDeleted"] == ["py-vol"]
    finally:
        if client.networks.list(names=["py-net"]):
            network.remove()
        for each in client.volumes.list(filters={"name": "py-vol"}):
            each.remove(force=True)


def test_images(client):
    recipe = io.BytesIO(b"FROM busybox\nRUN echo built > /built; echo odd >&2\nLABEL docker-py=\nCMD cat /built\n")
    image, steps = client.images.build(fileobj=recipe, tag="py-built:1", rm=True, nocache=True)
    told = [step.get("stream") for step in steps]
    assert "Step 2/4 : RUN echo built > /built; echo odd >&2\n" in told
    assert "\x1b[91modd\n\x1b[0m" in told
    assert client.containers.run("py-built:1", remove=True) == b"built\n"
    assert image.tag("py-again", "2")
    assert image.history()[0]["Size"] == 0
    saved = b"".join(image.save(named=True))
    for tag in ("py-built:1", "py-again:2"):
        client.images.remove(tag)
    with pytest.raises(docker_py.errors.ImageNotFound):
        client.images.get("py-built:1")
    (loaded,) = client.images.load(saved)
    assert (loaded.id, loaded.tags) == (image.id, ["py-built:1"])
    pruned = client.images.prune(filters={"label": LABEL, "dangling": False})
    assert {"Untagged": "py-built:1"} in pruned["ImagesDeleted"]
    with pytest.raises(docker_py.errors.BuildError, match="returned a non-zero code: 4"):
        client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 4\n"))


def test_events(client, start):
    since = time.time()
    container = start(name="py-events")
    container.kill()
    told = client.events(since=since, until=time.time() + 1, decode=True, filters={"container": container.id})
    assert [event["Action"] for event in told] == ["create", "start", "kill", "die"]
