"""The stdio protocol of a real compute node, lines of JSON, against a real agent and real containers."""

from __future__ import annotations

import threading
import time

import pytest

from tests.unit.datacenter.node.stdio_client import boot, exit_code, lines, stdin_vm, stdio

pytestmark = pytest.mark.node


def test_exec_with_stdin(node, idle):
    answer = stdio(node, idle, Cmd=["sh", "-c", "cat; echo bad >&2; exit 3"], AttachStdin=True)
    *output, end = lines(answer, {"type": "stdin", "data": "hé\n"}, {"type": "end"})
    assert {message["type"]: message["data"] for message in output} == {"stdout": "hé\n", "stderr": "bad\n"}
    assert end == {"type": "end", "data": {"code": 3, "signal": None}}


def test_keys_leave_a_terminal(node, idle):
    answer = stdio(node, idle, Cmd=["cat"], AttachStdin=True, Tty=True, ExecId="keys")
    messages = lines(answer, {"type": "tty", "data": "\x10"}, {"type": "tty", "data": "\x11"})
    assert messages[-1] == {"type": "end", "data": {"code": None, "signal": None}}
    assert stdio(node, idle, InspectExec=True, ExecId="keys")["Running"]


def test_an_unknown_message_kills_the_command(node, idle):
    lines(stdio(node, idle, Cmd=["sleep", "60"], AttachStdin=True, ExecId="what"), {"type": "what"})
    assert exit_code(node, idle, "what") == 137


def test_attach_blocks_until_the_start_and_holds_the_process(node):
    vm = stdin_vm(node, "sh", "-c", "echo first; cat")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(stdio(node, vm, AttachConsole=True, AttachStdin=True)))
    asking.start()
    time.sleep(0.2)
    assert asking.is_alive()
    starting = threading.Thread(target=boot, args=(node, vm))
    starting.start()
    asking.join()
    time.sleep(0.2)
    assert starting.is_alive()
    messages = lines(answers[0], {"type": "stdin", "data": "x"}, {"type": "end"})
    starting.join()
    assert "".join(m["data"] for m in messages[:-1]) == "first\nx"
    assert messages[-1] == {"type": "end", "data": {"code": 0, "signal": None}}


def test_logs_end_with_fin_alone(node):
    vm = node.create("echo", "hi")
    boot(node, vm)
    node.wait(vm)
    assert lines(stdio(node, vm, Logs=True, Tail="all")) == [{"type": "stdout", "data": "hi\n"}]
