"""Logs that leave the node, to the receivers people really run: rsyslog, a GELF server, a Fluentd server.

Each receiver runs in the network of a container, where other containers reach it and the node does not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import wait_for
from tests.npm import installed

pytestmark = pytest.mark.docker

RECEIVERS = Path(__file__).parent / "receivers"
SYSLOG = """
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="514")
input(type="imtcp" port="601")
template(name="told" type="list") {{
  property(name="syslogfacility-text") constant(value=" ") property(name="syslogseverity-text") constant(value=" ")
  property(name="programname") constant(value=" ") property(name="msg") constant(value="\\n")
}}
action(type="omfile" file="{out}" template="told")
"""


class Receiver:
    """A program that listens in a container's network. ``lines`` is what it has been told."""

    def __init__(self, docker, container, argv: list[str], out: Path, **popen) -> None:
        self.ref = container("busybox", "sleep", "600")
        self.address = docker.inspect(self.ref, "{{.NetworkSettings.IPAddress}}")
        self._out = out
        self._argv = [
            "nsenter",
            f"--net=/proc/{first_pid(docker, self.ref)}/ns/net",
            *argv,
        ]
        self._popen = popen
        self.start()

    def start(self) -> None:
        with self._out.open("ab") as out:
            self.process = subprocess.Popen(self._argv, stdout=out, stderr=subprocess.DEVNULL, **self._popen)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines() if self._out.exists() else []


def first_pid(docker, ref) -> str:
    return docker.inspect(ref, "{{.State.Pid}}")


@pytest.fixture
def receive(docker, container, tmp_path):
    made = []

    def start(argv, **popen) -> Receiver:
        made.append(Receiver(docker, container, argv, tmp_path / "told", **popen))
        return made[-1]

    yield start
    for receiver in made:
        receiver.stop()


@pytest.fixture
def rsyslog(receive, tmp_path):
    if shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("rsyslog is not installed")
    config = tmp_path / "rsyslog.conf"
    config.write_text(SYSLOG.format(out=tmp_path / "told"))
    return receive(["/usr/sbin/rsyslogd", "-n", "-f", str(config), "-i", str(tmp_path / "pid")])


def listening(receiver, port: int, kind: str) -> bool:
    """Whether somebody listens on a port of the receiver's network, by the kernel's own table."""
    argv = [*receiver._argv[:2], "cat", f"/proc/net/{kind}", f"/proc/net/{kind}6"]
    table = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines() if ":" in line.split()[0])


@pytest.mark.parametrize(("protocol", "port"), [("udp", 514), ("tcp", 601)])
def test_syslog(docker, container, rsyslog, protocol, port):
    wait_for(lambda: listening(rsyslog, port, protocol))
    options = {
        "syslog-address": f"{protocol}://{rsyslog.address}:{port}",
        "syslog-facility": "local3",
        "syslog-tag": "shop-{{.Name}}",
    }
    words = [f"--log-opt={name}={value}" for name, value in options.items()]
    ref = container(
        "--log-driver=syslog",
        *words,
        "--name=till",
        "busybox",
        "sh",
        "-c",
        "echo sold; echo broken >&2; echo; printf x",
    )
    expected = {"local3 info shop-till  sold", "local3 err shop-till  broken", "local3 info shop-till  x"}
    wait_for(lambda: expected <= set(rsyslog.lines))
    assert docker.ok("logs", ref) == "sold\n\nx"  # as dockerd keeps a copy to read, too


def test_gelf(container, receive):
    modules = installed(RECEIVERS / "package.json")
    receiver = receive(["node", str(RECEIVERS / "gelf.js")], env={**os.environ, "NODE_PATH": str(modules)})
    wait_for(lambda: receiver.lines)
    address = f"--log-opt=gelf-address=udp://{receiver.address}:12201"
    long = "head -c 8000 /dev/urandom | od -An -v -tx1 | tr -d ' \\n'; echo"
    ref = container("--log-driver=gelf", address, "busybox", "sh", "-c", f"echo short >&2; {long}")
    wait_for(lambda: len(receiver.lines) >= 3)
    ready, *messages = (json.loads(line) for line in receiver.lines)
    assert ready == "ready"
    told = {message["short_message"]: message for message in messages}
    assert told["short"]["level"] == 3
    assert told["short"]["_container_id"] == ref
    assert told["short"]["_tag"] == ref[:12]
    assert told["short"]["_image_name"].startswith("busybox")
    assert max(len(text) for text in told) == 16000  # it came in chunks


@pytest.fixture
def fluentd(receive):
    modules = installed(RECEIVERS / "package.json")
    receiver = receive(["node", str(RECEIVERS / "fluentd.js")], env={**os.environ, "NODE_PATH": str(modules)})
    wait_for(lambda: receiver.lines)
    return receiver


def fluent(receiver) -> list[str]:
    return [json.loads(line)["record"]["log"] for line in receiver.lines if '"record"' in line]


def test_fluentd_gets_everything_once_through_a_crash_of_the_node_and_its_own_absence(
    docker, running, container, fluentd
):
    address = f"--log-opt=fluentd-address={fluentd.address}:24224"
    ref = container(
        "-i",
        "--log-driver=fluentd",
        address,
        "--log-opt=fluentd-tag=app.{{.ID}}",
        "busybox",
        "sh",
        "-c",
        "echo 1; while read line; do echo $line; done",
    )
    wait_for(lambda: fluent(fluentd) == ["1"])
    (first,) = (json.loads(line) for line in fluentd.lines if '"record"' in line)
    assert first["tag"] == f"app.{ref[:12]}"
    assert first["record"]["container_id"] == ref
    assert first["record"]["source"] == "stdout"
    running.kill(f"node-{node_of(running, ref)}")
    docker.ok("exec", ref, "sh", "-c", "echo 2 > /proc/1/fd/1")
    wait_for(lambda: fluent(fluentd) == ["1", "2"])
    fluentd.stop()
    docker.ok("exec", ref, "sh", "-c", "echo 3 > /proc/1/fd/1")
    docker.ok("exec", ref, "sh", "-c", "echo 4 > /proc/1/fd/1")
    fluentd.start()
    wait_for(lambda: fluent(fluentd)[-1] == "4")


def node_of(running, ref) -> int:
    """The number of the compute node a container is on."""
    uuid = f"{ref[:8]}-{ref[8:12]}-{ref[12:16]}-{ref[16:20]}-{ref[20:32]}"
    server = running.http("vmapi", f"/vms/{uuid}")["server_uuid"]
    hostname = running.http("cnapi", f"/servers/{server}")["hostname"]
    return int(hostname.rpartition("cn")[2])


def test_a_receiver_that_is_not_there_fails_the_start_as_dockerd_has_it(docker):
    done = docker("run", "--rm", "--log-driver=fluentd", "--log-opt=fluentd-address=127.0.0.1:24224", "busybox", "true")
    assert done.returncode == 125
    assert b"failed to initialize logging driver: dial tcp 127.0.0.1:24224" in done.stderr


def test_what_only_the_node_can_reach_is_not_reached(docker, running):
    """127.0.0.1 is the container's own, not the node's, where the data center's services listen."""
    vmapi = running.instance.url("vmapi").removeprefix("http://")
    done = docker("run", "--rm", "--log-driver=fluentd", f"--log-opt=fluentd-address={vmapi}", "busybox", "true")
    assert done.returncode == 125
    assert b"refused" in done.stderr


def test_none_keeps_nothing(docker, container):
    ref = container("--log-driver=none", "busybox", "echo", "unheard")
    docker.ok("wait", ref)
    done = docker("logs", ref)
    assert done.returncode == 1
    assert b"configured logging driver does not support reading" in done.stderr


def test_earlier_files_are_read_too(docker, container):
    script = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i $(head -c 400 /dev/zero | tr '\\0' x); sleep 0.02; done"
    ref = container("--log-opt=max-size=4k", "--log-opt=max-file=10", "busybox", "sh", "-c", script)
    docker.ok("wait", ref)
    numbers = [int(line.split()[0]) for line in docker.ok("logs", ref).splitlines()]
    assert numbers == list(range(1, 31))
    tail = [int(line.split()[0]) for line in docker.ok("logs", "--tail", "15", ref).splitlines()]
    assert tail == list(range(16, 31))
