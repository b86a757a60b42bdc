"""The stdio task against a real agent and real containers."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed
from tests.unit.datacenter.node.stdio_client import (
    DETACH,
    FRAMES,
    STDIN_EOF,
    Session,
    attach,
    boot,
    exit_code,
    session,
    stdin_vm,
    stdio,
)

pytestmark = pytest.mark.node


def console_of(node, vm) -> socket.socket:
    """A connection to a container's conmon, as the agent has it."""
    folder = os.open(node.state / "nodes" / "0" / "zones" / vm / "bundle", os.O_PATH)
    try:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.settimeout(1.0)
        client.connect(f"/proc/self/fd/{folder}/attach")
    finally:
        os.close(folder)
    return client


class TestAttach:
    def test_nothing_is_lost_of_a_container_attached_before_its_start(self, node):
        vm = node.create("sh", "-c", "echo out; echo err >&2; exit 3")
        attached = attach(node, vm)
        boot(node, vm)
        assert attached.rest() == (b"out\n", b"err\n", {"code": 3, "signal": None})

    def test_stdin_sent_before_the_start_and_its_end_arrive(self, node):
        vm = stdin_vm(node, "cat")
        attached = attach(node, vm, AttachStdin=True)
        attached.type(b"one ")
        boot(node, vm)
        attached.type(b"two")
        attached.send(STDIN_EOF)
        assert attached.rest() == (b"one two", b"", {"code": 0, "signal": None})

    def test_half_close_ends_stdin(self, node):
        vm = stdin_vm(node, "cat")
        attached = attach(node, vm, AttachStdin=True)
        boot(node, vm)
        attached.type(b"x")
        attached.socket.shutdown(1)
        assert attached.rest() == (b"x", b"", {"code": 0, "signal": None})

    def test_twenty_megabytes_out(self, node):
        vm = node.create("dd", "if=/dev/zero", "bs=1M", "count=20")
        attached = attach(node, vm)
        boot(node, vm)
        out, err, end = attached.rest()
        assert out == bytes(20 << 20)
        assert b"20+0 records" in err
        assert end["code"] == 0

    def test_five_random_megabytes_both_ways(self, node):
        vm = stdin_vm(node, "cat")
        attached = attach(node, vm, AttachStdin=True)
        boot(node, vm)
        data = os.urandom(5_000_000)

        def write():
            for at in range(0, len(data), 300_000):
                attached.type(data[at : at + 300_000])
            attached.send(STDIN_EOF)

        writer = threading.Thread(target=write)
        writer.start()
        out, _, end = attached.rest()
        writer.join()
        assert out == data
        assert end["code"] == 0

    def test_terminal_takes_its_size_and_survives_detaching(self, node):
        vm = stdin_vm(node, "sh", tty=True)
        first = attach(node, vm, AttachStdin=True)
        first.resize(91, 33)
        boot(node, vm)
        first.type(b"busybox stty size\n")
        first.until(b"33 91")
        first.send(DETACH)
        assert first.rest()[2] == {"code": None, "signal": None}
        second = attach(node, vm, AttachStdin=True)
        assert stdio(node, vm, Resize={"w": 70, "h": 20}) == {}
        second.type(b"busybox stty size; exit 4\n")
        out, err, end = second.rest()
        assert b"20 70" in out
        assert err == b""
        assert end["code"] == 4

    def test_several_attachers_see_the_same_and_may_leave(self, node):
        vm = stdin_vm(node, "sh", "-c", "while read line; do echo got $line; done")
        writer = attach(node, vm, AttachStdin=True)
        viewer = attach(node, vm)
        boot(node, vm)
        writer.type(b"1\n")
        assert viewer.until(b"got 1\n")
        viewer.send(DETACH)
        assert viewer.rest()[2]["code"] is None
        late = attach(node, vm, Logs=True)
        late.until(b"got 1\n")
        writer.type(b"2\n")
        writer.until(b"got 2\n")
        writer.send(STDIN_EOF)
        assert late.until(b"got 2\n")
        assert late.rest()[2]["code"] == writer.rest()[2]["code"] == 0

    def test_streams_are_chosen(self, node):
        vm = node.create("sh", "-c", "echo out; echo err >&2")
        attached = attach(node, vm, AttachStdout=False, AttachStderr=True)
        boot(node, vm)
        assert attached.rest()[:2] == (b"", b"err\n")

    def test_logs_without_the_stream(self, node):
        vm = node.create("sh", "-c", "echo before; sleep 60")
        boot(node, vm)
        session(node, vm, Logs=True, Follow=True).until(b"before")
        assert attach(node, vm, Logs=True, Stream=False).rest() == (b"before\n", b"", {"code": None, "signal": None})
        node.task("machine_shutdown", uuid=vm, timeout=0)

    def test_replay_and_stream_have_no_seam(self, node):
        vm = node.create("sh", "-c", "i=0; while [ $i -lt 4000 ]; do echo $i; i=$((i+1)); done; sleep 1")
        boot(node, vm)
        sessions = [attach(node, vm, Logs=True) for _ in range(4)]
        expected = b"".join(b"%d\n" % number for number in range(4000))
        node.wait(vm)
        assert [one.rest()[0] for one in sessions] == [expected] * 4

    def test_clients_that_vanish_amid_output_do_the_container_no_harm(self, node):
        """As those of an agent that is killed. Such clients have made an end of a conmon, once in a few hundred."""
        vm = node.create("sh", "-c", "trap 'exit 7' TERM; while :; do echo more; done")
        boot(node, vm)
        for _ in range(150):
            with ExitStack() as at_once:
                clients = [at_once.enter_context(console_of(node, vm)) for _ in range(8)]
                with suppress(TimeoutError):  # conmon waits for whoever does not read, and for nobody else meanwhile
                    for client in clients:
                        client.recv(1)
        node.task("machine_shutdown", uuid=vm, timeout=10)
        assert node.wait(vm)["exit_status"] == 7

    def test_a_start_that_fails_ends_the_session(self, node):
        vm = node.create("nosuch")
        attached = attach(node, vm)
        with pytest.raises(TaskFailed):
            boot(node, vm)
        assert attached.rest() == (b"", b"", {"code": 127, "signal": None})

    def test_a_destroyed_container_ends_the_session(self, node):
        vm = node.create("true")
        attached = attach(node, vm)
        node.task("machine_destroy", uuid=vm)
        assert attached.rest()[2] == {"code": None, "signal": None}

    def test_each_life_has_its_own_end(self, node):
        vm = node.create("sleep", "60")
        boot(node, vm)
        attached = attach(node, vm)
        follower = session(node, vm, Logs=True, Follow=True)
        node.task("machine_reboot", uuid=vm, timeout=0)
        assert attached.rest()[2]["code"] == 137
        assert follower.rest() == (b"", b"", None)
        node.task("machine_shutdown", uuid=vm, timeout=0)


class TestExec:
    @pytest.mark.parametrize(
        ("cmd", "out", "err", "code"),
        [
            (["echo", "hi"], b"hi\n", b"", 0),
            (["sh", "-c", "echo no >&2; exit 7"], b"", b"no\n", 7),
            (["sh", "-c", "kill -9 $$"], b"", b"", 137),
            (["sh", "-c", "echo $COLOUR"], b"green\n", b"", 0),
        ],
    )
    def test_output_and_code(self, node, idle, cmd, out, err, code):
        assert session(node, idle, Cmd=cmd).rest() == (out, err, {"code": code, "signal": None})

    @pytest.mark.parametrize(
        ("command", "code", "rest_code", "text"),
        [
            ({"Cmd": ["nosuch"]}, 127, "InitNotFound", 'exec: "nosuch": executable file not found in $PATH'),
            ({"Cmd": ["/etc/passwd"]}, 126, "InitNotExecutable", 'exec: "/etc/passwd": permission denied'),
            (
                {"Cmd": ["sh"], "WorkingDir": "/no"},
                127,
                "InitNotFound",
                'chdir to cwd ("/no") set in config.json failed',
            ),
            ({"Cmd": ["sh"], "User": "nobody7"}, 126, "InitNotExecutable", "unable to find user nobody7"),
        ],
    )
    def test_what_can_not_run_is_told_as_docker_tells_it(self, node, idle, command, code, rest_code, text):
        out, err, end = session(node, idle, **command).rest()
        assert text in out.decode()
        assert err == b""
        assert end["code"] == code
        assert end["error"] == {"restCode": rest_code, "message": out.decode().removesuffix("\r\n")}

    def test_stdin_and_its_end(self, node, idle):
        data = os.urandom(200_000)
        running = session(node, idle, Cmd=["cat"], AttachStdin=True)
        running.type(data)
        running.send(STDIN_EOF)
        assert running.rest() == (data, b"", {"code": 0, "signal": None})

    def test_options(self, node, idle):
        script = "id -u; id -G; pwd; echo $A$COLOUR$HOME"
        cmd = ["sh", "-c", script]
        running = session(node, idle, Cmd=cmd, User="app", WorkingDir="/tmp", Env=["A=1", "COLOUR"])
        assert running.rest()[0] == b"1000\n1000 2000\n/tmp\n1/home/app\n"

    def test_terminal(self, node, idle):
        running = session(node, idle, Cmd=["sh"], Tty=True, AttachStdin=True, ExecId="t" * 64)
        running.resize(91, 33)
        running.type(b"busybox stty size\n")
        running.until(b"33 91")
        assert stdio(node, idle, Resize={"w": 40, "h": 10}, ExecId="t" * 64) == {}
        running.type(b"busybox stty size; exit 9\n")
        out, err, end = running.rest()
        assert b"10 40" in out
        assert err == b""
        assert end["code"] == 9
        assert stdio(node, idle, InspectExec=True, ExecId="t" * 64)["ExitCode"] == 9

    def test_a_process_goes_on_without_its_client(self, node, idle):
        running = session(node, idle, Cmd=["sh", "-c", "echo on; sleep 0.5; exit 5"], ExecId="left")
        running.until(b"on")
        running.socket.close()
        running.file.close()
        state = stdio(node, idle, InspectExec=True, ExecId="left")
        assert state["Running"]
        assert state["Pid"] > 0
        assert exit_code(node, idle, "left") == 5

    def test_detached(self, node, idle):
        command = {"Cmd": ["sh", "-c", "sleep 0.3; exit 6"], "Detach": True, "ExecId": "d1"}
        assert stdio(node, idle, **command) == {}
        assert stdio(node, idle, InspectExec=True, ExecId="d1")["Running"]
        assert exit_code(node, idle, "d1") == 6
        with pytest.raises(TaskFailed, match="already run"):
            stdio(node, idle, **command)

    def test_detached_failure_is_the_tasks(self, node, idle):
        with pytest.raises(TaskFailed, match="executable file not found") as failure:
            stdio(node, idle, Cmd=["nosuch"], Detach=True)
        assert failure.value.code == "InitNotFound"

    def test_a_background_child_does_not_hold_the_session(self, node, idle):
        began = time.monotonic()
        assert session(node, idle, Cmd=["sh", "-c", "sleep 30 & echo done"]).rest()[0] == b"done\n"
        assert time.monotonic() - began < 20

    def test_the_container_takes_its_execs_along(self, node):
        vm = node.create("sleep", "60")
        boot(node, vm)
        running = session(node, vm, Cmd=["sh", "-c", "echo on; sleep 60"])
        running.until(b"on")
        node.task("machine_shutdown", uuid=vm, timeout=0)
        assert running.rest()[2]["code"] == 137

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            ({"Cmd": ["true"], "Privileged": True}, "NotSupported"),
            ({"Cmd": []}, "InvalidParameters"),
            ({"Cmd": ["true"], "Framing": "frames/9"}, "NotSupported"),
            ({"InspectExec": True, "ExecId": "nosuch"}, "ResourceNotFound"),
            ({"Resize": {"w": 80}}, "InvalidParameters"),
        ],
    )
    def test_refusals(self, node, idle, command, code):
        with pytest.raises(TaskFailed) as failure:
            stdio(node, idle, **command)
        assert failure.value.code == code

    def test_not_running(self, node):
        vm = node.create("true")
        with pytest.raises(TaskFailed, match="VM is not running, cannot exec") as failure:
            stdio(node, vm, Cmd=["true"])
        assert failure.value.code == "VmNotRunning"


class TestLogs:
    @pytest.fixture(scope="class")
    def ended(self, node):
        vm = node.create("sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; sleep 0.02; done; echo -n tail")
        boot(node, vm)
        node.wait(vm)
        return vm

    @pytest.mark.parametrize(
        ("query", "out", "err"),
        [
            ({}, b"o1\no2\no3\ntail", b"e1\ne2\ne3\n"),
            ({"Tail": "2"}, b"tail", b"e3\n"),
            ({"Tail": 0}, b"", b""),
            ({"Tail": "all", "Stderr": False}, b"o1\no2\no3\ntail", b""),
            ({"Tail": 3, "Stdout": False}, b"", b"e3\n"),
            ({"Follow": True, "Tail": "+1"}, b"o1\no2\no3\ntail", b"e1\ne2\ne3\n"),
            ({"Since": "4000000000"}, b"", b""),
            ({"Until": "1000000000.5"}, b"", b""),
        ],
    )
    def test_of_an_ended_container(self, node, ended, query, out, err):
        assert session(node, ended, Logs=True, **query).rest() == (out, err, None)

    def test_timestamps_and_since(self, node, ended):
        stamped = session(node, ended, Logs=True, Timestamps=True).rest()[0].decode().split("\n")
        assert [line.split(" ")[1] for line in stamped] == ["o1", "o2", "o3", "tail"]
        stamp = stamped[2].split(" ")[0]
        assert len(stamp) == 30
        assert stamp.endswith("Z")
        moment = time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")
        import calendar

        since = f"{calendar.timegm(moment)}.{stamp[20:29]}"
        assert session(node, ended, Logs=True, Since=since, Stderr=False).rest()[0] == b"o3\ntail"
        assert session(node, ended, Logs=True, Until=since, Stderr=False).rest()[0] == b"o1\no2\no3\n"

    def test_follow_ends_with_the_container(self, node):
        vm = node.create("sh", "-c", "echo one; sleep 0.3; echo two; sleep 0.3; echo -n three")
        boot(node, vm)
        follower = session(node, vm, Logs=True, Follow=True)
        follower.until(b"two\n")
        assert follower.rest() == (b"three", b"", None)

    def test_every_line_is_a_frame(self, node, ended):
        reader = session(node, ended, Logs=True, Stderr=False)
        frames = []
        while frame := reader.frame():
            frames.append(frame)
        assert frames == [(1, b"o1\n"), (1, b"o2\n"), (1, b"o3\n"), (1, b"tail")]

    def test_of_a_container_never_started(self, node):
        vm = node.create("true")
        assert session(node, vm, Logs=True, Follow=True).rest() == (b"", b"", None)

    def test_a_client_that_leaves_ends_the_follow(self, node, idle):
        follower = session(node, idle, Logs=True, Follow=True)
        follower.socket.shutdown(1)
        assert follower.rest() == (b"", b"", None)


def test_a_port_serves_one_connection(node, idle):
    answer = stdio(node, idle, Cmd=["sh", "-c", "echo on; sleep 1"], Framing=FRAMES)
    first = Session(answer)
    first.until(b"on")
    with pytest.raises(ConnectionRefusedError):
        Session(answer)
    assert first.rest()[2]["code"] == 0


def test_attach_logs_and_codes_outlive_the_agent(node):
    vm = stdin_vm(node, "sh", "-c", "echo before; read line; echo $line; exit 8", once=False)
    boot(node, vm)
    session(node, vm, Logs=True, Follow=True).until(b"before\n")
    node.crash()
    node.start()
    attached = attach(node, vm, AttachStdin=True, Logs=True)
    attached.until(b"before\n")
    attached.type(b"after\n")
    assert attached.rest() == (b"after\n", b"", {"code": 8, "signal": None})
