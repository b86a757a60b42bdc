"""What a build's query asks for: read, mapped on a container, or refused with a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DockerError, InvalidParameter, NotImplementedHere
from translators.images.build_options import build_container, build_options

NAMES = [
    "t", "dockerfile", "target", "buildargs", "labels", "nocache", "pull", "q", "rm", "forcerm", "memory", "memswap",
    "cpushares", "cpuperiod", "cpuquota", "cpusetcpus", "cpusetmems", "shmsize", "ulimits", "extrahosts", "networkmode", "cachefrom",
    "remote", "squash", "outputs", "platform", "version", "isolation", "securityopt", "buildid", "cgroupparent",
]  # fmt: skip


def query(**values):
    return {key: value if isinstance(value, list) else [str(value)] for key, value in values.items()}


def test_the_docker_cli_s_query_is_understood():
    options = build_options(
        query(
            t=["a", "b:2"], dockerfile="s/Dockerfile", buildargs='{"A":"1","UNSET":null}', labels='{"l":"v"}', rm=1,
            cachefrom="null", networkmode="default", shmsize=0, version=1, ulimits="null", memory=0, target="x",
        )
    )  # fmt: skip
    assert [str(tag) for tag in options.tags] == ["a:latest", "b:2"]
    assert (options.dockerfile, options.target, options.arguments) == ("s/Dockerfile", "x", {"A": "1"})
    assert (options.use_cache, options.always_pull, options.quiet, options.warnings) == (True, False, False, ())


def test_sizes_and_limits_are_those_of_the_container():
    body = build_container(
        query(
            memory=104857600, memswap=-1, cpuquota=50000, cpusetcpus="0", shmsize=1048576, extrahosts=["a:1.2.3.4,b:5.6.7.8"],
            ulimits='[{"Name":"nofile","Hard":2,"Soft":1}]', labels='{"com.joyent.package":"p"}', networkmode="none",
        )
    )  # fmt: skip
    host = body.HostConfig
    assert (host.Memory, host.MemorySwap, host.CpuQuota, host.CpusetCpus, host.ShmSize) == (
        104857600,
        -1,
        50000,
        "0",
        1048576,
    )
    assert (host.ExtraHosts, host.NetworkMode) == (["a:1.2.3.4", "b:5.6.7.8"], "none")
    assert (host.Ulimits[0].Name, host.Ulimits[0].Hard) == ("nofile", 2)
    assert body.Labels == {"com.joyent.package": "p"}


def test_what_has_no_effect_is_warned_of():
    assert len(build_options(query(cachefrom='["x"]', rm=0)).warnings) == 2


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"version": "2"}, NotImplementedHere, "DOCKER_BUILDKIT=0"),
        ({"version": "3"}, InvalidParameter, "invalid version"),
        ({"remote": "https://x/y.git"}, NotImplementedHere, "URL"),
        ({"squash": "1"}, NotImplementedHere, "squash"),
        ({"outputs": '[{"Type":"local"}]'}, NotImplementedHere, "outputs"),
        ({"securityopt": '["x"]'}, InvalidParameter, "security options"),
        ({"isolation": "hyperv"}, InvalidParameter, "isolation"),
        ({"platform": "linux/s390x"}, NotImplementedHere, "s390x"),
        ({"dockerfile": "../x"}, InvalidParameter, "Forbidden path outside the build context"),
        ({"dockerfile": "a/../../x"}, InvalidParameter, "Forbidden path"),
        ({"t": "BAD"}, InvalidParameter, "lowercase"),
        ({"t": f"a@sha256:{'0' * 64}"}, InvalidParameter, "digest"),
        ({"buildargs": "{"}, InvalidParameter, "buildargs"),
        ({"labels": "[1]"}, InvalidParameter, "labels"),
    ],
)
def test_what_cannot_be_is_refused(values, kind, words):
    with pytest.raises(kind, match=words):
        build_options(query(**values))


@pytest.mark.parametrize("values", [{"memory": "x"}, {"ulimits": "{}"}, {"ulimits": '[{"Hard":"x"}]'}, {"labels": "1"}])
def test_a_container_that_makes_no_sense_is_refused(values):
    with pytest.raises(InvalidParameter):
        build_container(query(**values))


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.lists(
            st.text(max_size=8)
            | st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), st.lists).map(json.dumps),
            max_size=2,
        ),
    )
)
def test_any_query_is_understood_or_refused(values):
    for work in (build_options, build_container):
        assert refusal(work, values) in {0, 400, 501}


def refusal(work, values) -> int:
    try:
        work(values)
    except DockerError as error:
        return error.status
    return 0
