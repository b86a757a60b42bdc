"""From VM records to OCI configurations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node import capabilities, mounts, resources, seccomp, spec
from datacenter.node.tasks import TaskError
from datacenter.node.users import User

UUID = "11111111-2222-4333-8444-555555555555"
VOLUME = "66666666-2222-4333-8444-555555555555"
ROOT = User(0, 0, (0,), "/root")
LIMITS = {"NOFILE": (1024, 20000), "NPROC": (-1, -1), "CORE": (0, -1)}
PLACE = spec.Place(Path("/z/rootfs"), Path("/z/bundle"), Path("/zones"), Path("/netns/x"))


def host(**changes):
    fields = {"limits": LIMITS, "swap_accounting": True, "oom_score_adj": 0, "init_program": None}
    return spec.Host(**(fields | {"seccomp": True, "cgroup": "/tdg-a-0"} | changes))


def vm(cmd=("true",), **fields):
    metadata = {"docker:id": "ab" * 32, "docker:cmd": json.dumps(list(cmd)), **fields.pop("metadata", {})}
    return {"uuid": UUID, "internal_metadata": metadata, **fields}


def config(linux=None, record=None, **host_changes):
    return spec.oci_config(record or vm(), linux or {}, ROOT, host(**host_changes), PLACE)


def test_entrypoint_comes_before_the_command():
    record = vm(["b", "c"], metadata={"docker:entrypoint": '["a"]'})
    assert config(record=record)["process"]["args"] == ["a", "b", "c"]


def test_nothing_to_run_is_refused():
    with pytest.raises(TaskError, match="no command specified"):
        spec.command(vm([]))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, [spec.DEFAULT_PATH, "HOSTNAME=abababababab", "HOME=/root"]),
        (
            {"docker:tty": True, "docker:env": '["TERM=vt100","HOME=/h"]'},
            [spec.DEFAULT_PATH, "HOSTNAME=abababababab", "TERM=vt100", "HOME=/h"],
        ),
        (
            {"docker:linkEnv": '["DB_PORT=1"]', "docker:env": '["PATH=/x","A=b=c","HOSTNAME"]'},
            ["PATH=/x", "DB_PORT=1", "A=b=c", "HOME=/root"],
        ),
    ],
)
def test_environment(metadata, expected):
    assert spec.environment(vm(metadata=metadata), ROOT) == expected


def test_hostname_prefers_the_given_one():
    assert config()["hostname"] == "abababababab"
    assert config(record=vm(hostname="box"))["hostname"] == "box"


@pytest.mark.parametrize(
    ("record", "linux", "expected"),
    [
        ({"max_physical_memory": 512, "max_swap": 1024}, {}, {"limit": 512 << 20, "swap": 1024 << 20}),
        ({"max_physical_memory": 512, "max_swap": 256}, {}, {"limit": 512 << 20, "swap": 512 << 20}),
        (
            {"max_physical_memory": 512},
            {"MemoryBytes": 64 << 20, "MemorySwapBytes": -1},
            {"limit": 64 << 20, "swap": -1},
        ),
        ({}, {}, None),
    ],
)
def test_memory(record, linux, expected):
    assert resources.resources(record, linux, swap_accounting=True).get("memory") == expected


def test_swap_is_left_out_where_the_kernel_does_not_count_it():
    found = resources.resources({"max_physical_memory": 1, "max_swap": 2}, {}, swap_accounting=False)
    assert found["memory"] == {"limit": 1 << 20}


@pytest.mark.parametrize(
    ("record", "linux", "expected"),
    [
        ({"cpu_cap": 150}, {}, {"quota": 150_000, "period": 100_000}),
        ({"cpu_cap": 150}, {"NanoCpus": 500_000_000}, {"quota": 50_000, "period": 100_000}),
        ({"cpu_cap": 150}, {"CpuQuota": 7000, "CpuPeriod": 10_000}, {"quota": 7000, "period": 10_000}),
        ({}, {"CpuShares": 1, "CpusetCpus": "0-1"}, {"shares": 2, "cpus": "0-1"}),
        ({}, {}, None),
    ],
)
def test_cpu(record, linux, expected):
    assert resources.resources(record, linux, swap_accounting=True).get("cpu") == expected


def test_pids_come_from_the_package_unless_asked_for():
    assert resources.resources({"max_lwps": 4000}, {}, swap_accounting=True)["pids"] == {"limit": 4000}
    assert resources.resources({"max_lwps": 4000}, {"PidsLimit": 5}, swap_accounting=True)["pids"] == {"limit": 5}


@given(soft=st.integers(-1, 1 << 40), hard=st.integers(-1, 1 << 40), ours=st.integers(-1, 1 << 30))
def test_no_rlimit_exceeds_ours(soft, hard, ours):
    linux = {"Ulimits": [{"Name": "nofile", "Soft": soft, "Hard": hard}]}
    (found,) = resources.rlimits(linux, {"NOFILE": (ours, ours)})
    top = ours if ours >= 0 else (1 << 64) - 1
    assert 0 <= found["soft"] <= found["hard"] <= top


def test_unknown_ulimit():
    with pytest.raises(TaskError, match="invalid ulimit type: bogus"):
        resources.rlimits({"Ulimits": [{"Name": "bogus", "Soft": 1, "Hard": 1}]}, LIMITS)


@pytest.mark.parametrize(
    ("add", "drop", "has", "lacks"),
    [
        ([], [], ["CAP_CHOWN"], ["CAP_NET_ADMIN"]),
        (["net_admin"], [], ["CAP_NET_ADMIN", "CAP_CHOWN"], []),
        ([], ["CAP_CHOWN"], ["CAP_KILL"], ["CAP_CHOWN"]),
        (["CHOWN"], ["ALL"], ["CAP_CHOWN"], ["CAP_KILL"]),
        (["ALL"], ["KILL"], ["CAP_NET_ADMIN"], ["CAP_KILL", "CAP_SYS_ADMIN"]),
    ],
)
def test_capabilities(add, drop, has, lacks):
    found = capabilities.effective(add, drop)
    assert set(has) <= set(found)
    assert not set(lacks) & set(found)


@given(
    st.lists(st.sampled_from([*capabilities.ADDABLE, "ALL"])),
    st.lists(st.sampled_from([*capabilities.ADDABLE, *capabilities.HOST_WIDE, "ALL"])),
)
def test_no_mix_of_options_gives_a_capability_that_reaches_out(add, drop):
    assert not set(capabilities.effective(add, drop)) & {f"CAP_{name}" for name in capabilities.HOST_WIDE}


def test_unknown_capability():
    with pytest.raises(TaskError, match='unknown capability: "FLY"'):
        capabilities.effective(["FLY"], [])


def test_mounts_are_in_order_and_the_users_replace_dockers():
    found = config({"Tmpfs": {"/dev/shm": "size=1m", "/run/a/b": ""}, "ShmSize": 5})["mounts"]
    targets = [mount["destination"] for mount in found]
    assert targets == sorted(targets, key=lambda path: path.count("/"))
    assert len(targets) == len(set(targets))
    shm = next(mount for mount in found if mount["destination"] == "/dev/shm")
    assert shm["options"] == ["nosuid", "nodev", "noexec", "size=1m"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (VOLUME, f"/zones/{UUID}/volumes/{VOLUME}"),
        (f"/zones/{VOLUME}/volumes/{UUID}", f"/zones/{VOLUME}/volumes/{UUID}"),
        ("/etc", None),
        ("../../etc", None),
        (f"/zones/{VOLUME}/volumes/../../../../etc/aaaaaaaaaaaaaaaaaaaa", None),
        (f"/zones/{VOLUME}/rootfs", None),
        (f"/zones/{VOLUME}/volumes/{UUID}/..", None),
    ],
)
def test_only_volumes_are_bound(source, expected):
    item = {"source": source, "target": "/data", "type": "lofs"}
    if expected is None:
        with pytest.raises(TaskError, match="can't be mounted"):
            mounts.volume_source(item, UUID, Path("/zones"))
    else:
        assert mounts.volume_source(item, UUID, Path("/zones")) == Path(expected)


def test_nfs_is_refused():
    item = {"source": VOLUME, "target": "/data", "type": "nfs"}
    with pytest.raises(TaskError, match="can't be mounted"):
        mounts.volume_source(item, UUID, Path("/zones"))


def test_init_wraps_the_command_and_needs_a_program():
    found = config({"Init": True}, init_program=Path("/usr/bin/tini"))
    assert found["process"]["args"] == ["/sbin/docker-init", "--", "true"]
    assert {"/usr/bin/tini"} == {m["source"] for m in found["mounts"] if m["destination"] == "/sbin/docker-init"}
    with pytest.raises(TaskError) as failure:
        config({"Init": True})
    assert failure.value.rest_code == "NotSupported"


@pytest.mark.parametrize(("ours", "wanted", "expected"), [(0, 500, 500), (0, -500, 0), (100, 50, 100)])
def test_oom_score_is_never_below_ours(ours, wanted, expected):
    assert config({"OomScoreAdj": wanted}, oom_score_adj=ours)["process"]["oomScoreAdj"] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], False), (["no-new-privileges"], True), (["no-new-privileges:false"], False), (["label=disable"], False)],
)
def test_no_new_privileges(options, expected):
    assert config({"SecurityOpt": options})["process"]["noNewPrivileges"] is expected


@pytest.mark.parametrize("option", ["seccomp=unconfined", "systempaths=unconfined", "no-new-privileges=perhaps"])
def test_other_security_options_are_refused(option):
    with pytest.raises(TaskError) as failure:
        config({"SecurityOpt": [option]})
    assert failure.value.rest_code == "NotSupported"


def test_namespaces_and_network():
    kinds = {item["type"]: item.get("path") for item in config()["linux"]["namespaces"]}
    assert kinds == dict.fromkeys(["pid", "mount", "ipc", "uts", "cgroup"]) | {"network": "/netns/x"}


def test_domain_name_becomes_a_sysctl():
    assert config(record=vm(dns_domain="corp.example"))["linux"]["sysctl"] == {"kernel.domainname": "corp.example"}


@pytest.mark.parametrize(
    "name", ["mount", "bpf", "kexec_load", "unshare", "setns", "keyctl", "io_uring_setup", "reboot"]
)
def test_seccomp_allows_nothing_that_reaches_out(name):
    rules = seccomp.profile(["CAP_CHOWN"])["syscalls"]
    assert not [rule for rule in rules if name in rule["names"]]


def test_seccomp_grows_with_capabilities():
    assert "chroot" in seccomp.profile(["CAP_SYS_CHROOT"])["syscalls"][0]["names"]
    assert "chroot" not in seccomp.profile([])["syscalls"][0]["names"]


def test_without_seccomp_in_the_kernel_there_is_no_filter():
    assert "seccomp" not in config(seccomp=False)["linux"]
