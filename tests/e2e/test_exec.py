"""docker exec."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import wait_for
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.docker


@pytest.fixture
def sleeper(container):
    return container("-e", "BASE=b", "busybox", "sleep", "1000")


@pytest.mark.parametrize(
    ("command", "code"), [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["/etc"], 126), (["no-such-cmd"], 127)]
)
def test_exit_codes(docker, sleeper, command, code):
    assert docker("exec", sleeper, *command).returncode == code


def test_streams_are_apart(docker, sleeper):
    done = docker("exec", sleeper, "sh", "-c", "echo o; echo e >&2")
    assert (done.stdout, done.stderr) == (b"o\n", b"e\n")


def test_stdin_half_close(docker, sleeper):
    data = bytes(2_000_000)
    assert docker.ok("exec", "-i", sleeper, "wc", "-c", stdin=data) == "2000000"


def test_options(docker, sleeper):
    script = "echo $X $BASE $(pwd) $(id -u)"
    args = ["-e", "X=y", "-w", "/tmp", "-u", "33"]
    assert docker.ok("exec", *args, sleeper, "sh", "-c", script) == "y b /tmp 33"


def test_a_terminal_with_its_size(docker, sleeper):
    argv = [docker.binary, "exec", "-it", sleeper, "sh", "-c", "sleep 0.5; tty; stty size; exit 4"]
    terminal = Terminal(argv, docker.environ, rows=33, columns=99)
    assert terminal.wait_end() == 4
    assert "33 99" in terminal.text
    assert "/dev/" in terminal.text
    terminal.close()


def test_detached(docker, sleeper):
    docker.ok("exec", "-d", sleeper, "touch", "/made")
    wait_for(lambda: docker("exec", sleeper, "test", "-f", "/made").returncode == 0)


def test_a_stopped_container_runs_nothing(docker, container):
    ref = container("busybox", "true")
    docker.ok("wait", ref)
    done = docker("exec", ref, "true")
    assert done.returncode == 1
    assert b"is not running" in done.stderr


def test_privileged_is_refused_with_a_reason(docker, sleeper):
    done = docker("exec", "--privileged", sleeper, "true")
    assert done.returncode != 0
    assert b"privileged" in done.stderr
