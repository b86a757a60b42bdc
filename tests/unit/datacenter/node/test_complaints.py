"""The runtime's words: what the client may know in clean ones, and the rest for operators only."""

from __future__ import annotations

import pytest

from datacenter.node.complaints import start_failure

VOLUME = "/run/tdg/90fc43ba/zones/55c0e65e-802e-4919-a405-e1b36a4e4a57/volumes/f3d22bc5-9c2f-4cf0-8f9b-b34fca2f9e9c"
ROOT = "/run/tdg/90fc43ba/zones/55c0e65e-802e-4919-a405-e1b36a4e4a57/rootfs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"mount `{VOLUME}` to `etc/passwd`: Not a directory\n", "error mounting at /etc/passwd: not a directory"),
        ("mount `tmpfs` to `x`: Invalid argument", "error mounting at /x: invalid argument"),
        (
            f'error mounting "{VOLUME}" to rootfs at "/etc/passwd": mount {VOLUME}:/etc/passwd: not a directory',
            "error mounting at /etc/passwd: not a directory",
        ),
        (
            'error mounting "tmpfs" to rootfs at "/x": mount tmpfs:/x, data: size=zz: invalid argument',
            "error mounting at /x: invalid argument",
        ),
        ("mkdir `/etc/hostname/x`: Not a directory", "mkdir /etc/hostname/x: not a directory"),
        (
            "write to /proc/sys/net/ipv4/ip_forward: Invalid argument",
            "write to /proc/sys/net/ipv4/ip_forward: invalid argument",
        ),
        (
            "write sysctl key net.no.such: open /proc/sys/net/no/such: no such file or directory",
            "open /proc/sys/net/no/such: no such file or directory",
        ),
        (
            "writing file `cpuset.cpus`: Numerical result out of range",
            "write cpuset.cpus: numerical result out of range",
        ),
        (
            'failed to write "99": write /sys/fs/cgroup/cpuset/tdg-q-1/u/cpuset.cpus: numerical result out of range',
            "write cpuset.cpus: numerical result out of range",
        ),
        (
            'chdir to cwd ("/root") set in config.json failed: permission denied',
            'chdir to cwd ("/root") set in config.json failed: permission denied',
        ),
    ],
)
def test_the_container_is_at_fault(text, message):
    failure = start_failure(text)
    assert (failure.rest_code, failure.message) == ("InitFailed", message)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('exec: "nope": executable file not found in $PATH: No such file or directory', "InitNotFound"),
        ("executable file `nope` not found in $PATH: No such file or directory", "InitNotFound"),
        ('exec: "/x": permission denied', "InitNotExecutable"),
        ("open executable: Permission denied", "InitNotExecutable"),
    ],
)
def test_the_program_is_at_fault(text, code):
    assert start_failure(text).rest_code == code


@pytest.mark.parametrize(
    "text",
    [
        f"mount `{VOLUME}` to `data`: No such file or directory",
        f"mount `{VOLUME}` to `data`: Invalid argument",
        f'error mounting "{VOLUME}" to rootfs at "/data": stat {VOLUME}: no such file or directory',
        f"open `{ROOT}`: No such file or directory",
        "open /run/tdg/90fc43ba/runtime/u/exec.fifo: permission denied",
        "writing file `memory.limit_in_bytes`: Device or resource busy",
        "",
    ],
)
def test_the_node_is_at_fault(text):
    assert start_failure(text).rest_code == "InternalError"
