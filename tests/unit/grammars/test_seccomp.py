from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.seccomp import ProfileError, applies, parse


def profile(*rules, default="SCMP_ACT_ERRNO", **more):
    return json.dumps({"defaultAction": default, "syscalls": list(rules), **more})


def rule(*names, action="SCMP_ACT_ALLOW", **more):
    return {"names": list(names), "action": action, **more}


FLAGS = {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}


def test_docker_s_own_form():
    found = parse(profile(rule("read", "write"), rule("clone", args=[FLAGS], excludes={"caps": ["CAP_SYS_ADMIN"]})))
    assert [each.names for each in found.rules] == [("read", "write"), ("clone",)]
    (clone,) = found.rules[1:]
    assert applies(clone, architecture="amd64", capabilities=frozenset())
    assert not applies(clone, architecture="amd64", capabilities=frozenset({"CAP_SYS_ADMIN"}))


@pytest.mark.parametrize(("part", "architecture", "caps", "holds"), [
    ({"includes": {"arches": ["arm64"]}}, "amd64", (), False), ({"includes": {"arches": ["amd64"]}}, "amd64", (), True),
    ({"includes": {"caps": ["CAP_BPF"]}}, "amd64", (), False), ({"includes": {"caps": ["CAP_BPF"]}}, "amd64", ("CAP_BPF",), True),
    ({"excludes": {"arches": ["amd64"]}}, "amd64", (), False), ({}, "amd64", (), True),
])  # fmt: skip
def test_rules_that_hold_for_some(part, architecture, caps, holds):
    found = parse(profile(rule("read", **part))).rules[0]
    assert applies(found, architecture=architecture, capabilities=frozenset(caps)) is holds


@pytest.mark.parametrize(("text", "words"), [
    ("{", "no JSON"), ("[]", "no JSON object"), ("{}", "the action None is unknown"),
    (profile(default="SCMP_ACT_NOTIFY"), "SCMP_ACT_NOTIFY"), (profile(listenerPath="/x"), "listenerPath"),
    (profile({"action": "SCMP_ACT_ALLOW"}), "names no system calls"), (profile(rule("x", action="no")), "the action no"),
    (profile(rule("x", args=[{"op": "eq"}])), "no operator"), (profile(rule("x", errnoRet=0)), "no error number"),
    (profile(rule("x", args=[{"op": "SCMP_CMP_EQ", "index": 6}])), "no numbers"), (profile("x"), "no JSON object"),
    (profile(rule("clone", args=[{**FLAGS, "value": 0}])), "clone is allowed by a first argument other than"),
    (profile(rule("open", action="SCMP_ACT_ERRNO", args=[FLAGS]), default="SCMP_ACT_ALLOW"), "may only deny whole calls"),
    ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {"a": 1}}', "not a list"), ("[" * 100_000, "no JSON"),
])  # fmt: skip
def test_what_is_refused(text, words):
    with pytest.raises(ProfileError, match=words):
        parse(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["SCMP_ACT_ALLOW", "clone", "SCMP_CMP_EQ"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from("defaultAction syscalls names name action args op index value includes arches caps".split()), inner, max_size=4),
)  # fmt: skip


@given(_json)
def test_anything_is_a_profile_or_a_profile_error(value):
    try:
        for each in parse(json.dumps(value)).rules:
            applies(each, architecture="amd64", capabilities=frozenset())
    except ProfileError:
        pass
