"""Options of docker:linux that limit, confine or, where the operator lets them, set a container free."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node import capabilities, cgroups, complaints, devices, mounts, resources, seccomp, spec
from datacenter.node.sysinfo import capabilities_of, ulimits_of
from datacenter.node.tasks import TaskError
from grammars.seccomp import parse
from tests.unit.datacenter.node.test_runtime_spec import config, host

KERNEL = frozenset(spec.FEATURES.values())


@pytest.fixture
def vda(monkeypatch):
    monkeypatch.setattr(resources, "device_numbers", lambda path: {"/dev/vda": (254, 0)}[path])


def test_block_io(vda):
    linux = {
        "BlkioWeight": 300,
        "BlkioWeightDevice": [{"Path": "/dev/vda", "Weight": 200}],
        "BlkioDeviceReadBps": [{"Path": "/dev/vda", "Rate": 1024}],
        "BlkioDeviceWriteIOps": [{"Path": "/dev/vda", "Rate": 5}],
    }
    assert resources.resources({}, linux, swap_accounting=True)["blockIO"] == {
        "weight": 300,
        "weightDevice": [{"major": 254, "minor": 0, "weight": 200}],
        "throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 1024}],
        "throttleWriteIOPSDevice": [{"major": 254, "minor": 0, "rate": 5}],
    }


@pytest.mark.parametrize(("linux", "expected"), [
    ({"MemoryReservation": 32}, {"reservation": 32}), ({"MemoryReservation": 2 << 20}, {"reservation": 1 << 20}),
    ({"MemorySwappiness": 0}, {"swappiness": 0}), ({"OomKillDisable": True}, {"disableOOMKiller": True}),
])  # fmt: skip
def test_memory(linux, expected):
    found = resources.resources({"max_physical_memory": 1}, linux, swap_accounting=False)["memory"]
    assert found == {"limit": 1 << 20, **expected}


def test_memory_nodes():
    assert resources.resources({}, {"CpusetMems": "0"}, swap_accounting=True)["cpu"] == {"mems": "0"}


@pytest.mark.parametrize("key", spec.FEATURES)
def test_what_the_kernel_lacks_is_refused(key, vda):
    value = [{"Path": "/dev/vda"}] if "Device" in key else "0" if key == "CpusetMems" else 20
    with pytest.raises(TaskError, match=f"lacks {spec.FEATURES[key]}") as refused:
        config({key: value})
    assert refused.value.rest_code == "NotSupported"
    assert config({key: value}, features=KERNEL)


def test_a_device_that_is_not_there():
    for path in ("/dev/no-such-disk", "/dev/null", "/etc"):
        with pytest.raises(TaskError, match=f"no block device {path}"):
            devices.device_numbers(path)


@pytest.mark.parametrize("name", ["MaskedPaths", "ReadonlyPaths"])
def test_paths_are_added_and_none_is_taken_away(name):
    ours = {"MaskedPaths": mounts.MASKED, "ReadonlyPaths": mounts.READONLY}[name]
    key = name[0].lower() + name[1:]
    assert config({name: ["/proc/x", ours[0]]})["linux"][key] == [*ours, "/proc/x"]
    assert config({name: []})["linux"][key] == list(ours)
    free = {name: ["/proc/x"], "ExactPaths": [name]}
    assert config(free, privileged=True)["linux"][key] == ["/proc/x"]


FREE = (
    {"Privileged": True}, {"Devices": [{"PathOnHost": "/dev/null"}]}, {"DeviceCgroupRules": ["c 1:3 r"]},
    {"ExactPaths": ["MaskedPaths"]}, {"CapAdd": ["SYS_ADMIN"]}, {"SecurityOpt": ["seccomp=unconfined"]},
)  # fmt: skip


@pytest.mark.parametrize("linux", FREE, ids=lambda linux: next(iter(linux)))
def test_nothing_reaches_out_unless_the_node_is_told_to_allow_it(linux):
    with pytest.raises(TaskError) as refused:
        config(linux)
    assert refused.value.rest_code == "NotSupported"
    assert config(linux, privileged=True)


def test_a_privileged_container():
    found = config({"Privileged": True}, privileged=True)
    assert "CAP_SYS_ADMIN" in found["process"]["capabilities"]["effective"]
    assert "seccomp" not in found["linux"]
    assert found["linux"]["maskedPaths"] == found["linux"]["readonlyPaths"] == []
    assert {"allow": True, "type": "a", "access": "rwm"} in found["linux"]["resources"]["devices"]
    assert "/dev/null" in {device["path"] for device in found["linux"]["devices"]}
    assert not any("ro" in mount["options"] for mount in found["mounts"] if mount["destination"].startswith("/sys"))


def test_nobody_gets_what_the_node_has_not():
    ours = frozenset({"CHOWN", "NET_ADMIN"})
    assert capabilities.effective(["ALL"], [], ours=ours) == ["CAP_CHOWN", "CAP_NET_ADMIN"]
    assert capabilities.effective([], [], ours=ours) == ["CAP_CHOWN"]
    with pytest.raises(TaskError, match="has not the capability SYS_NICE itself") as refused:
        capabilities.effective(["SYS_NICE"], [], ours=ours)
    assert refused.value.rest_code == "NotSupported"
    assert capabilities.own() <= set(capabilities.BY_NUMBER)
    assert set(capabilities.BY_NUMBER) == {*capabilities.ADDABLE, *capabilities.HOST_WIDE}


def test_a_device():
    asked = {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "r"}]}
    found = config({**asked, "DeviceCgroupRules": ["b 8:* rw"]}, privileged=True)["linux"]
    assert [(item["path"], item["major"], item["minor"]) for item in found["devices"]] == [("/dev/nil", 1, 3)]
    assert found["resources"]["devices"][1:] == [
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"},
        {"allow": True, "type": "b", "major": 8, "access": "rw"},
    ]
    for wrong in ({"PathOnHost": "/dev/no-such"}, {"PathOnHost": "/dev/null", "CgroupPermissions": "x"}):
        with pytest.raises(TaskError):
            config({"Devices": [wrong]}, privileged=True)


def test_a_node_advertises_what_its_kernel_and_its_operator_allow():
    plain = capabilities_of(host())
    assert "privileged" not in plain
    assert not KERNEL & set(plain)
    assert KERNEL | {"privileged"} <= set(capabilities_of(host(features=KERNEL, privileged=True)))
    assert ulimits_of(host()) == {"nofile": 20000, "nproc": -1, "core": -1}


@pytest.mark.parametrize(("files", "expected"), [
    ({"cgroup.controllers": "cpuset cpu io memory pids"}, {"memory-reservation", "cpuset-mems", "blkio-throttle"}),
    ({"cgroup.controllers": "io", "a.slice/io.bfq.weight": ""}, {"blkio-throttle", "blkio-weight"}),
    ({"memory/memory.swappiness": "", "memory/memory.oom_control": ""}, {"memory-swappiness", "oom-kill-disable"}),
    ({"blkio/blkio.weight": "", "cpuset/cpuset.mems": ""}, {"blkio-weight", "cpuset-mems"}),
])  # fmt: skip
def test_features_of_both_cgroup_versions(tmp_path, monkeypatch, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    assert cgroups.features() == expected


def profile(*rules, default="SCMP_ACT_ERRNO"):
    return json.dumps({"defaultAction": default, "syscalls": list(rules)})


def rule(*names, action="SCMP_ACT_ALLOW", **more):
    return {"names": list(names), "action": action, **more}


def outcome(found, name):
    """What a filter does to a call whatever its arguments: its action, or ``conditional``."""
    rules = [each for each in found["syscalls"] if name in each["names"]]
    if any("args" in each for each in rules):
        return "conditional"
    return rules[0]["action"] if rules else found["defaultAction"]


def test_a_profile_that_allows_by_default_takes_away():
    asked = profile(rule("mkdir", "clone", action="SCMP_ACT_KILL"), default="SCMP_ACT_ALLOW")
    found = config({"SeccompProfile": asked})["linux"]["seccomp"]
    words = {name: outcome(found, name) for name in ("mkdir", "clone", "read", "mount", "bpf", "socket")}
    assert words == {
        "mkdir": "SCMP_ACT_KILL", "clone": "SCMP_ACT_KILL", "read": "SCMP_ACT_ALLOW", "mount": "SCMP_ACT_ERRNO",
        "bpf": "SCMP_ACT_ERRNO", "socket": "conditional",
    }  # fmt: skip


def test_a_profile_that_denies_by_default_gives_no_more_than_the_node():
    asked = profile(
        rule("read", "mount", "clone"), rule("socket", args=[{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}])
    )
    found = config({"SeccompProfile": asked})["linux"]["seccomp"]
    words = {name: outcome(found, name) for name in ("read", "write", "mount", "clone")}
    assert words == {
        "read": "SCMP_ACT_ALLOW", "write": "SCMP_ACT_ERRNO", "mount": "SCMP_ACT_ERRNO", "clone": "conditional",
    }  # fmt: skip
    (socket,) = [each for each in found["syscalls"] if "socket" in each["names"]]
    assert sorted(argument["index"] for argument in socket["args"]) == [0, 1]


def test_rules_for_other_machines_and_rights_do_not_hold():
    asked = profile(rule("read", includes={"arches": ["s390x"]}), rule("chroot", includes={"caps": ["CAP_SYS_CHROOT"]}))
    found = config({"SeccompProfile": asked, "CapDrop": ["ALL"]})["linux"]["seccomp"]
    assert found["syscalls"] == []


_calls = st.lists(
    st.sampled_from(["read", "mount", "clone", "personality", "bpf", "ptrace", "keyctl", "io_uring_setup"]), min_size=1
)
_actions = st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"])


@given(
    rules=st.lists(st.builds(lambda names, action: rule(*names, action=action), _calls, _actions), max_size=4),
    default=_actions,
)
def test_no_profile_gives_what_the_node_denies(rules, default):
    found = seccomp.narrowed(parse(profile(*rules, default=default)), ["CAP_CHOWN"])
    assert not found["defaultAction"].endswith(("ALLOW", "LOG"))
    for each in found["syscalls"]:
        if each["action"] in {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}:
            assert not {"mount", "bpf", "keyctl", "io_uring_setup"} & set(each["names"])
            assert each["names"] not in (["clone"], ["personality"]) or each["args"]


def test_a_bad_profile_is_the_request_s_fault():
    with pytest.raises(TaskError, match="decoding seccomp profile failed") as refused:
        config({"SeccompProfile": "{"})
    assert refused.value.rest_code == "InvalidArgument"


def test_a_profile_is_blamed_for_a_process_that_did_not_start():
    broken = TaskError("InternalError", "read from the init process")
    assert complaints.blamed(broken, {"SeccompProfile": "{}"}).rest_code == "InitFailed"
    assert complaints.blamed(broken, {}) is broken
