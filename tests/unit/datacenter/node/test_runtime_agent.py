"""A real compute node agent runs real containers."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.unit.datacenter.node.node_kit import (
    TOP_IMAGE,
    Center,
    TaskFailed,
    TestedNode,
    free_instance,
    free_port_base,
    nic,
    until,
)

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

INSTANCE = free_instance()


@pytest.fixture(scope="module")
def center():
    center = Center(free_port_base())
    yield center
    center.close()


@pytest.fixture(scope="module")
def node(center, tmp_path_factory):
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, INSTANCE)
    node.start()
    yield node
    node.clean_up()


def test_exit_status_and_output(node):
    assert node.run("sh", "-c", "echo out; exit 7") == (7, "out\n")


def test_end_is_pushed_with_its_exit_status(node, center):
    vm = node.create("sh", "-c", "exit 3")
    node.task("machine_boot", uuid=vm)
    news = center.wait_for(vm, lambda body: body["state"] == "stopped" and body["exit_status"] is not None)
    assert (news["exit_status"], news["zone_state"], news["pid"]) == (3, "installed", None)
    assert news["exit_timestamp"] >= news["boot_timestamp"]


@pytest.mark.parametrize(
    ("cmd", "code", "status", "message"),
    [
        ("no-such-command", "InitNotFound", 127, 'exec: "no-such-command": executable file not found in $PATH'),
        ("/no/such", "InitNotFound", 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("/etc", "InitNotExecutable", 126, 'exec: "/etc": is a directory'),
        ("/etc/passwd", "InitNotExecutable", 126, 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_programs_that_cannot_start(node, cmd, code, status, message):
    vm = node.create(cmd)
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_boot", uuid=vm)
    assert (failure.value.code, failure.value.message) == (code, message)
    assert failure.value.details["vm"]["exit_status"] == status
    assert node.task("machine_load", uuid=vm)["vm"]["state"] == "stopped"


def test_unknown_user(node):
    vm = node.create("true", meta={"docker:user": "no_such_user"})
    with pytest.raises(TaskFailed, match="unable to find user no_such_user: no matching entries in passwd file"):
        node.task("machine_boot", uuid=vm)


def test_user_groups_env_and_workdir(node):
    script = "id; pwd; echo $HOME $GREETING; hostname"
    meta = {"docker:user": "app", "docker:workdir": "/made/here", "docker:env": '["GREETING=hi"]'}
    _, text = node.run("sh", "-c", script, meta=meta, hostname="box")
    assert text.splitlines() == [
        "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)",
        "/made/here",
        "/home/app hi",
        "box",
    ]


def test_layers_are_stacked_and_whiteouts_hide(node):
    status, text = node.run("sh", "-c", "cat /top /etc/group", image_uuid=TOP_IMAGE)
    assert status == 1
    assert text.startswith("top\n")
    assert "No such file" in text


def test_missing_image(node):
    with pytest.raises(TaskFailed) as failure:
        node.create("true", image_uuid=str(uuid.uuid4()))
    assert failure.value.code == "ImageNotFound"


def test_stop_sends_the_stop_signal_and_waits(node):
    script = "trap 'echo bye; exit 5' USR1; echo up; while :; do sleep 0.1; done"
    vm = node.create("sh", "-c", script, linux={"StopSignal": "SIGUSR1"})
    assert node.task("machine_boot", uuid=vm)["vm"]["state"] == "running"
    until(lambda: "up" in node.log(vm))
    stopped = node.task("machine_shutdown", uuid=vm, timeout=10)["vm"]
    assert (stopped["state"], stopped["exit_status"]) == ("stopped", 5)
    assert node.log(vm) == "up\nbye\n"


def test_stop_kills_what_will_not_end(node):
    vm = node.create("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    node.task("machine_boot", uuid=vm)
    assert node.task("machine_shutdown", uuid=vm, timeout=0.2)["vm"]["exit_status"] == 137


def test_reboot_runs_again_with_what_was_written(node):
    vm = node.create("sh", "-c", "echo x >> /count; cat /count; sleep 60")
    node.task("machine_boot", uuid=vm)
    until(lambda: node.log(vm).split() == ["x"])
    again = node.task("machine_reboot", uuid=vm, timeout=0)["vm"]
    assert again["state"] == "running"
    until(lambda: node.log(vm).split() == ["x", "x", "x"])
    node.task("machine_destroy", uuid=vm)


def test_kill_of_a_stopped_zone_is_refused(node):
    vm = node.create("true")
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_kill", uuid=vm, signal="SIGKILL")
    assert failure.value.code == "VmNotRunning"


def test_destroy_leaves_nothing_and_may_be_repeated(node):
    vm = node.create("sleep", "60", nics=[nic(9)])
    node.task("machine_boot", uuid=vm)
    node.task("machine_destroy", uuid=vm)
    node.task("machine_destroy", uuid=vm)
    assert not (node.state / "nodes" / "0" / "zones" / vm).exists()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{vm}"))
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_load", uuid=vm)
    assert failure.value.code == "VmNotFound"


def test_limits_reach_the_cgroup_and_rlimits(node):
    linux = {"Ulimits": [{"Name": "nofile", "Soft": 1000, "Hard": 2000}], "ShmSize": 8 << 20, "PidsLimit": 33}
    script = "ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        script = script.replace("memory/memory.limit_in_bytes", "memory.max")
    _, text = node.run("sh", "-c", script, linux=linux)
    lines = text.splitlines()
    assert lines[:2] == ["1000", "2000"]
    assert " 8192 " in lines[2]
    assert lines[3] == str(128 << 20)


def test_out_of_memory_is_told(node, center):
    vm = node.create("sh", "-c", "x=x; while :; do x=$x$x; done", max_physical_memory=16, max_swap=16)
    node.task("machine_boot", uuid=vm)
    news = center.wait_for(vm, lambda body: "docker:oomkilled" in body.get("internal_metadata", {}), timeout=20)
    assert news["internal_metadata"] == {"docker:oomkilled": True}
    assert news["exit_status"] == 137


def test_containers_are_fenced_in(node):
    script = (
        "grep -E 'Seccomp:|CapEff|NoNewPrivs' /proc/self/status; mount -t tmpfs none /tmp; "
        "cat /proc/kcore; echo x > /proc/sys/kernel/hostname"
    )
    status, text = node.run("sh", "-c", script, linux={"SecurityOpt": ["no-new-privileges"]})
    assert status != 0
    assert "CapEff:\t00000000a80425fb" in text
    assert "NoNewPrivs:\t1" in text
    assert "Seccomp:\t2" in text
    assert "permission denied (are you root?)" in text.lower()
    assert "Read-only file system" in text


@pytest.mark.parametrize(
    ("linux", "word"),
    [
        ({"CapAdd": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        ({"Sysctls": {"kernel.panic": "1"}}, "kernel.panic"),
        ({"Devices": [{"PathOnHost": "/dev/sda"}]}, "Devices"),
        ({"SecurityOpt": ["seccomp=unconfined"]}, "seccomp=unconfined"),
    ],
)
def test_options_out_of_reach_are_refused_at_create(node, linux, word):
    with pytest.raises(TaskFailed, match=word) as failure:
        node.create("true", linux=linux)
    assert failure.value.code == "NotSupported"


def test_read_only_root_and_tmpfs(node):
    linux = {"ReadonlyRootfs": True, "Tmpfs": {"/tmp": "size=4m"}}
    status, text = node.run("sh", "-c", "touch /tmp/x && touch /x", linux=linux)
    assert status == 1
    assert "/x: Read-only file system" in text


def test_dropped_capability(node):
    status, _ = node.run("chown", "1:1", "/tmp", linux={"CapDrop": ["CHOWN"]})
    assert status == 1
    assert node.run("chown", "1:1", "/tmp", linux={"CapDrop": ["ALL"], "CapAdd": ["CHOWN"]})[0] == 0


def test_sysctl(node):
    name = "/proc/sys/net/ipv4/ip_local_port_range"
    _, text = node.run("cat", name, linux={"Sysctls": {"net.ipv4.ip_local_port_range": "20000 30000"}})
    assert text.split() == ["20000", "30000"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"meta": {"docker:workdir": "/data/seed/x"}}, "Cannot mkdir: /data/seed/x is not a directory"),
        ({"meta": {"docker:workdir": "/data/seed"}}, "Cannot mkdir: /data/seed is not a directory"),
        (
            {"filesystems": [{"source": str(uuid.uuid4()), "target": "/data/seed", "type": "lofs", "options": []}]},
            "error mounting at /data/seed: not a directory",
        ),
        ({"linux": {"Tmpfs": {"/x": "size=bogus"}}}, "error mounting at /x: invalid argument"),
    ],
)
def test_containers_own_faults_in_clean_words(node, fields, message):
    vm = node.create("true", **fields)
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert (failed.value.code, failed.value.message) == ("InitFailed", message)


def test_nodes_own_faults_are_no_faults_of_the_container(node):
    volume = str(uuid.uuid4())
    vm = node.create("true", filesystems=[{"source": volume, "target": "/data", "type": "lofs", "options": []}])
    (node.state / "nodes" / "0" / "zones" / vm / "volumes" / volume).symlink_to("/nowhere")
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert failed.value.code == "InternalError"
    assert node.task("machine_load", uuid=vm)["vm"]["exit_status"] == 128


def test_boot_takes_metadata_and_gives_it_back(node):
    vm = node.create("sh", "-c", "echo $DB_NAME; grep db /etc/hosts")
    links = {"docker:linkEnv": '["DB_NAME=/web/db"]', "docker:linkHosts": "10.0.0.9\tdb\n"}
    answer = node.task("machine_boot", uuid=vm, set_internal_metadata=links)
    assert answer["vm"]["internal_metadata"] == links
    node.wait(vm)
    assert node.log(vm) == "/web/db\n10.0.0.9\tdb\n"
    again = node.task("machine_boot", uuid=vm)["vm"]["internal_metadata"]
    assert again.keys() == {"docker:lastend"}  # what the node itself has to say


def test_what_a_container_has_written(node):
    script = "dd if=/dev/zero of=/big bs=1000 count=70; ln /big /again; mkdir /d; echo 123 > /d/x; rm /data/seed; echo x > /vol/y"
    volume = [{"source": str(uuid.uuid4()), "target": "/vol", "type": "lofs", "options": []}]
    vm = node.create("sh", "-c", script, filesystems=volume)
    assert node.task("docker_exec", uuid=vm, command={"DiskUsage": True}) == {"Written": 0}
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    assert node.task("docker_exec", uuid=vm, command={"DiskUsage": True}) == {"Written": 70004}


def test_host_paths_are_never_bound(node):
    outside = [{"source": "/etc", "target": "/host", "type": "lofs", "options": []}]
    with pytest.raises(TaskFailed, match="can't be mounted"):
        node.create("true", filesystems=outside)


def test_network_address_gateway_and_fence(node):
    script = "ip addr show eth0 | grep inet; ping -c1 -W2 10.153.240.1 >/dev/null && echo gateway; nc -w 1 10.153.240.1 22 || echo shut"
    _, text = node.run("sh", "-c", script, nics=[nic(11)])
    assert "10.153.240.11/22" in text
    assert text.endswith("gateway\nshut\n") or "shut" in text


def test_network_none_has_loopback_only(node):
    _, text = node.run("sh", "-c", "ls /sys/class/net", linux={"NetworkNone": True}, nics=[nic(12)])
    assert text.split() == ["lo"]


def test_etc_files(node):
    meta = {"docker:extraHosts": '["db:10.9.9.9"]', "docker:dnssearch": '["corp.example"]'}
    _, text = node.run(
        "cat", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname",
        meta=meta, resolvers=["10.1.1.1"], hostname="box", nics=[nic(13)],
    )  # fmt: skip
    assert "10.9.9.9\tdb\n" in text
    assert "10.153.240.13\tbox\n" in text
    assert "nameserver 10.1.1.1\nsearch corp.example\n" in text
    assert text.endswith("box\n")


def test_processes(node):
    vm = node.create("sh", "-c", "sleep 77 & sleep 88 & wait")
    node.task("machine_boot", uuid=vm)

    def settled():
        found = node.task("machine_proc", uuid=vm)["result"]
        return found if {"sleep 77", "sleep 88"} <= {item["psinfo"]["pr_psargs"] for item in found} else None

    found = until(settled)
    infos = [item["psinfo"] for item in found]
    assert (infos[0]["pr_pid"], infos[0]["pr_ppid"]) == (1, 0)
    assert sorted(info["pr_psargs"] for info in infos[1:]) == ["sleep 77", "sleep 88"]
    assert {info["pr_ppid"] for info in infos[1:]} == {1}
    node.task("machine_destroy", uuid=vm)


def test_update_of_a_running_zone(node):
    vm = node.create("sleep", "60")
    node.task("machine_boot", uuid=vm)
    node.task("machine_update", uuid=vm, max_physical_memory=256, max_swap=512)
    node.task("machine_update", uuid=vm, max_physical_memory=64, max_swap=128, alias="renamed")
    group = next(path for path in Path("/sys/fs/cgroup").glob(f"**/{vm}") if "memory" in str(path) or "v2" in str(path))
    limit = group / "memory.limit_in_bytes"
    assert int((limit if limit.exists() else group / "memory.max").read_text()) == 64 << 20
    node.task("machine_destroy", uuid=vm)


def test_a_killed_agent_loses_nothing(node, center):
    running = node.create("sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done")
    ending = node.create("sh", "-c", "sleep 0.5; exit 6")
    for vm in (running, ending):
        node.task("machine_boot", uuid=vm)
    pid = node.task("machine_load", uuid=running)["vm"]["pid"]
    until(lambda: node.log(running) == "up\n")
    node.crash()
    time.sleep(0.8)
    node.start()
    assert node.task("machine_load", uuid=running)["vm"]["pid"] == pid
    news = center.wait_for(ending, lambda body: body["state"] == "stopped")
    assert news["exit_status"] == 6
    assert node.task("machine_shutdown", uuid=running, timeout=10)["vm"]["exit_status"] == 9


def test_a_killed_conmon_is_noticed(node, center):
    vm = node.create("sleep", "60")
    pid = node.task("machine_boot", uuid=vm)["vm"]["pid"]
    conmon = int((node.state / "nodes" / "0" / "zones" / vm / "lives" / "1" / "conmon.pid").read_text())
    os.kill(conmon, 9)
    assert center.wait_for(vm, lambda body: body["state"] == "stopped")["exit_status"] == 255
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_cleanup_removes_every_trace(node, center):
    vm = node.create("sleep", "60", nics=[nic(14)])
    node.task("machine_boot", uuid=vm)
    pid = node.task("machine_load", uuid=vm)["vm"]["pid"]
    node.clean_up()
    try:
        assert str(node.state) not in Path("/proc/self/mountinfo").read_text()
        assert not list(Path("/sys/fs/cgroup").glob(f"**/tdg-{INSTANCE}-{node.mark}"))
        assert not Path(f"/run/tdg/{node.mark}").exists()
        assert not list(Path("/sys/class/net").glob(f"tdg{INSTANCE}*"))
        assert not Path(f"/proc/{pid}").exists()
        assert (
            f"tdg_{INSTANCE}"
            not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        )
    finally:
        node.start()
    assert node.run("true") == (0, "")
