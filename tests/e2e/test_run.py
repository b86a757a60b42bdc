"""docker run, as people use it."""

from __future__ import annotations

import hashlib
import os
import signal

import pytest

from tests.e2e.conftest import wait_for
from tests.e2e.terminal import Terminal
from tests.unit.datacenter.node.test_portmap import echoed, echoing, heard

pytestmark = pytest.mark.docker


def test_output_reaches_the_client(docker):
    assert docker.ok("run", "--rm", "busybox", "echo", "hello") == "hello"


@pytest.mark.parametrize(
    ("command", "code"),
    [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 3"], 3), (["/etc"], 126), (["no-such-command"], 127)],
)
def test_exit_codes(docker, command, code):
    assert docker("run", "--rm", "busybox", *command).returncode == code


def test_an_unknown_image_is_a_daemon_error(docker):
    done = docker("run", "--rm", "127.0.0.1:1/no-such-image", "true")
    assert done.returncode == 125
    assert b"Error response from daemon: " in done.stderr


def test_stdin_ends_with_the_client_s(docker):
    assert docker.ok("run", "--rm", "-i", "busybox", "cat", stdin=b"hi\n") == "hi"


def test_bytes_come_back_as_they_went(docker):
    data = os.urandom(3_000_000)
    done = docker("run", "--rm", "-i", "busybox", "cat", stdin=data)
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(data).hexdigest()


def test_output_after_the_end_of_stdin_is_complete(docker):
    script = "n=0; while read x; do n=$((n+1)); done; sleep 1; echo n=$n"
    assert docker.ok("run", "--rm", "-i", "busybox", "sh", "-c", script, stdin=b"a\nb\nc\n") == "n=3"


def test_streams_are_apart(docker):
    done = docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_without_i_there_is_no_stdin(docker):
    assert docker.ok("run", "--rm", "busybox", "wc", "-c", stdin=b"hello") == "0"


def test_detached_gives_the_id_and_shows_in_ps(docker, container):
    ref = container("busybox", "sleep", "60")
    assert len(ref) == 64
    assert ref in docker.ok("ps", "--no-trunc", "-q").splitlines()


def test_published_ports_have_the_numbers_outside_that_were_asked_for(docker, container):
    script = "while :; do echo hello | nc -l -p 80; done"
    ref = container("-p", "8080:80", "-p", "18765:99/udp", "busybox", "sh", "-c", script)
    address, _, port = docker.ok("port", ref, "99/udp").partition(":")
    assert port == "18765"
    assert docker.ok("port", ref, "80/tcp") == f"{address}:8080"
    listed = docker.ok("ps", "--filter", f"id={ref}", "--format", "{{.Ports}}")
    assert f"{address}:8080->80/tcp" in listed
    assert f"{address}:18765->99/udp" in listed
    assert wait_for(lambda: heard(address, 8080)) == b"hello\n"
    with echoing(docker.inspect(ref, "{{.State.Pid}}")):
        assert wait_for(lambda: echoed(address, 18765)) == b"ping"


def test_rm_removes_the_container_and_frees_its_name(docker):
    for _ in range(2):
        docker.ok("run", "--rm", "--name", "again", "busybox", "true")
    assert docker("inspect", "--type", "container", "again").returncode == 1


def test_a_name_is_given_once(docker, container):
    container("--name", "taken", "busybox", "sleep", "60")
    done = docker("run", "--name", "taken", "busybox", "true")
    assert done.returncode == 125
    assert b"is already in use by container" in done.stderr


def test_an_interactive_shell(docker):
    terminal = Terminal([docker.binary, "run", "--rm", "-it", "busybox", "sh"], docker.environ, rows=41, columns=113)
    try:
        terminal.wait_text("# ")
        terminal.type("until stty size; do sleep .1; done; echo $((6*7))\n")  # told once the container runs
        terminal.wait_text("42")
        assert "41 113" in terminal.text
        terminal.resize(30, 99)
        # the client overlooks a signal that comes while it is still telling the first size
        terminal.type("until stty size | grep '30 99'; do sleep .1; done\n")
        terminal.wait_text("\n30 99", meanwhile=lambda: os.killpg(terminal.process.pid, signal.SIGWINCH))
        terminal.type("exit 5\n")
        assert terminal.wait_end() == 5
    finally:
        terminal.close()


def test_detach_keys_leave_it_running(docker):
    argv = [docker.binary, "run", "-it", "--name", "left", "--detach-keys", "ctrl-x,q", "busybox", "sh"]
    terminal = Terminal(argv, docker.environ)
    try:
        terminal.wait_text("# ")
        terminal.type("\x18")
        terminal.type("q")
        terminal.wait_end()
        assert docker.inspect("left", "{{.State.Status}}") == "running"
        back = Terminal([docker.binary, "attach", "left"], docker.environ)
        back.type("echo back-$((1+1))\n")
        back.wait_text("back-2")
        back.type("exit 4\n")
        assert back.wait_end() == 4
        back.close()
    finally:
        terminal.close()
        docker("rm", "-f", "left")


def test_environment_workdir_user_hostname(docker):
    script = "echo $A $(pwd) $(id -u):$(id -g) $(hostname)"
    args = ["-e", "A=b c", "-w", "/made/up", "-u", "1234:1235", "--hostname", "hosty"]
    assert docker.ok("run", "--rm", *args, "busybox", "sh", "-c", script) == "b c /made/up 1234:1235 hosty"
