"""The orders of events that clients rely on, as dockerd has them, through the real client."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


def now(docker):
    return docker.ok("info", "-f", "{{.SystemTime}}")


def told(docker, name, since="0", kind="container"):
    """What has been told of a container up to now; network events have the container in an attribute."""
    lines = docker.ok("events", "--since", since, "--until", now(docker), "--format", "{{json .}}").splitlines()
    events = [json.loads(line) for line in lines]
    ids = {event["Actor"]["ID"] for event in events if event["Actor"]["Attributes"].get("name") == name}
    chosen = [
        event
        for event in events
        if event["Type"] in kind.split()
        and (event["Actor"]["ID"] in ids or event["Actor"]["Attributes"].get("container") in ids)
    ]
    return [shown(event) for event in chosen]


def shown(event):
    more = [event["Actor"]["Attributes"][key] for key in ("exitCode", "signal") if key in event["Actor"]["Attributes"]]
    return " ".join([event["Action"], *more])


def told_soon(docker, name, wanted, **how):
    """Wait until a story has been told so far, and see that it is this one."""
    wait_for(lambda: len(told(docker, name, **how)) >= len(wanted))
    assert told(docker, name, **how) == wanted


@pytest.fixture
def named(docker):
    """Run containers by name; they are gone after the test."""
    made = []

    def run(name, *args):
        made.append(name)
        return docker("run", "--name", name, *args)

    yield run
    for name in made:
        docker("rm", "-f", name)


def test_run_rm_with_its_networks(docker, named):
    named("ev-rm", "--rm", "busybox", "sh", "-c", "exit 3")
    wanted = ["create", "attach", "connect", "start", "disconnect", "die 3", "destroy"]
    told_soon(docker, "ev-rm", wanted, kind="container network")


def test_stop_restart_kill_and_remove(docker, named):
    named("ev-life", "-d", "busybox", "sleep", "1000")
    docker.ok("restart", "-t", "1", "ev-life")
    docker.ok("kill", "-s", "CHLD", "ev-life")
    docker.ok("stop", "-t", "0", "ev-life")
    docker.ok("start", "ev-life")
    docker.ok("kill", "ev-life")
    docker.ok("rm", "ev-life")
    ended = ["kill 15", "kill 9", "stop", "die 137"]
    wanted = ["create", "start", *ended, "start", "restart", "kill 17", *ended, "start", "kill 9", "die 137", "destroy"]
    assert told(docker, "ev-life") == wanted


def test_a_stop_in_time_sends_no_second_signal(docker, named):
    named("ev-term", "-d", "busybox", "sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    wait_for(lambda: "ready" in docker.ok("logs", "ev-term"))
    docker.ok("stop", "ev-term")
    assert told(docker, "ev-term") == ["create", "start", "kill 15", "stop", "die 7"]


def test_remove_by_force(docker, named):
    named("ev-force", "-d", "busybox", "sleep", "1000")
    docker.ok("rm", "-f", "ev-force")
    assert told(docker, "ev-force") == ["create", "start", "kill 9", "die 137", "destroy"]


def test_a_restart_policy_is_die_and_start(docker, named):
    named("ev-again", "-d", "--restart", "on-failure:1", "busybox", "false")
    told_soon(docker, "ev-again", ["create", "start", "die 1", "start", "die 1"])


def test_a_program_that_is_not_there(docker, named):
    assert named("ev-none", "busybox", "nosuch").returncode == 127
    assert told(docker, "ev-none") == ["create", "attach", "die 127"]


def test_out_of_memory(docker, named):
    named("ev-oom", "-m", "20m", "busybox", "sh", "-c", "a=x; while :; do a=$a$a; done")
    told_soon(docker, "ev-oom", ["create", "attach", "start", "oom", "die 137"])


def test_exec_attached_and_detached(docker, named):
    named("ev-exec", "-d", "busybox", "sleep", "1000")
    docker("exec", "ev-exec", "sh", "-c", "exit 4")
    docker.ok("exec", "-d", "ev-exec", "true")
    wanted = ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die 4"]
    wanted += ["exec_create: true", "exec_start: true", "exec_die 0"]
    told_soon(docker, "ev-exec", ["create", "start", *wanted])


def test_leaving_by_the_detach_keys(docker, running, named):
    """Over the API: the docker command keeps the keys to itself, and only hangs up."""
    named("ev-left", "-dit", "busybox", "sh", "-c", "while sleep 0.2; do echo ready; done")
    with Api(running) as api:
        leave(api, "/containers/ev-left/attach?stream=1&stdin=1&stdout=1")
    body = {
        "Cmd": ["sh", "-c", "echo ready; read line; exit 3"],
        "Tty": True,
        "AttachStdin": True,
        "AttachStdout": True,
    }
    with Api(running) as api:
        session = api.ask("POST", "/containers/ev-left/exec", body)["Id"]
        leave(api, f"/exec/{session}/start", {"Tty": True})
    command = "sh -c echo ready; read line; exit 3"
    wanted = ["create", "start", "attach", "detach", f"exec_create: {command}", f"exec_start: {command}", "exec_detach"]
    told_soon(docker, "ev-left", wanted)
    with Api(running) as api:
        assert api.ask("GET", f"/exec/{session}/json")["Running"] is True
        docker.ok("kill", "ev-left")
        wait_for(lambda: {"exec_die 137", "die 137"} <= set(told(docker, "ev-left")))
        assert api.ask("GET", f"/exec/{session}/json")["Running"] is False


class Api(http.client.HTTPConnection):
    """The gateway's unix socket."""

    def __init__(self, running) -> None:
        super().__init__("docker", timeout=30)
        self._path = str(running.instance.folder / "docker.sock")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)


def leave(api, path, body=None):
    """Join a stream, and press ctrl-p ctrl-q once it shows something."""
    headers = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}
    api.request("POST", path, json.dumps(body or {}), headers)
    text = b""
    while b"ready" not in text:
        text += api.sock.recv(4096)
    api.sock.sendall(b"\x10\x11")
    while api.sock.recv(4096):
        pass
    api.close()


def test_images(docker):
    since = now(docker)
    tar = subprocess.run(["tar", "-c", "-C", "/etc", "hostname"], capture_output=True, check=True).stdout
    docker.ok("import", "-c", "LABEL tier=web", "-", "ev-image:1", stdin=tar)
    docker.ok("tag", "ev-image:1", "ev-image:2")
    docker.ok("rmi", "ev-image:1", "ev-image:2")
    lines = docker.ok("events", "--since", since, "--until", now(docker), "--filter", "type=image",
                      "--filter", "label=tier=web", "--format", "{{.Action}}").splitlines()  # fmt: skip
    assert lines == ["tag", "import", "tag", "untag", "untag", "delete"]


def test_a_live_stream_with_filters_ends_with_its_client(docker, named):
    filters = ["--filter", "label=ev=live", "--filter", "event=start", "--filter", "event=die"]
    form = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.image}} {{.Actor.Attributes.ev}}"
    stream = docker.start("events", *filters, "--format", form, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)  # the client says nothing when it begins to listen
        named("ev-live", "--rm", "--label", "ev=live", "busybox", "true")
        named("ev-other", "--rm", "busybox", "true")
        lines = [stream.stdout.readline().strip() for _ in range(2)]
        assert lines == ["container start ev-live busybox live", "container die ev-live busybox live"]
    finally:
        stream.kill()
        assert stream.communicate()[0] == ""


def test_other_accounts_see_nothing_of_it(running, docker, named):
    bob = running.account("ev-bob", approved_for_provisioning=True)
    named("ev-mine", "--rm", "busybox", "true")
    assert told(docker, "ev-mine")
    assert told(bob, "ev-mine") == []


def test_what_happened_while_the_gateway_was_away_is_told_once(running, docker, named):
    named("ev-away", "-d", "busybox", "sh", "-c", "sleep 3; exit 5")
    running.kill("gateway")
    told_soon(docker, "ev-away", ["create", "start", "die 5"])
    running.kill("services")
    docker.ok("rm", "ev-away")
    told_soon(docker, "ev-away", ["create", "start", "die 5", "destroy"])
