"""Which package a container gets."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidParameter, ServiceUnavailable, Unavailable
from middleware.packages import Packages, human_size
from middleware.testing import pipeline, spec

MIB = 1 << 20
GIB = 1 << 30
JILL_ONLY, TWIN_A, TWIN_B = ("11111111-0000-4000-8000-00000000000" + n for n in "123")


def package(uuid, name, memory, **more):
    return {"uuid": uuid, "name": name, "max_physical_memory": memory, "quota": 10240, "active": True, **more}


@pytest.fixture
def chain():
    chain = pipeline(Packages)
    chain.center.packages += [
        package("aaaaaaaa-0000-4000-8000-000000000001", "sample-4G", 4096),
        package("aaaaaaaa-0000-4000-8000-000000000002", "sample-512M", 512),
        package("bbbbbbbb-0000-4000-8000-000000000003", "sample-1G", 1024),
        package("cccccccc-0000-4000-8000-000000000004", "sample-old", 600, active=False),
        package("dddddddd-0000-4000-8000-000000000005", "sample-tom", 700, owner_uuids=["tom"]),
        package(JILL_ONLY, "sample-jill", 2048, owner_uuids=[chain.account.uuid]),
        package(TWIN_A, "twin", 128),
        package(TWIN_B, "twin", 256),
        package("eeeeeeee-0000-4000-8000-000000000006", "g4-highcpu-64M", 64),
        package("ffffffff-0000-4000-8000-000000000007", "beadbead", 64),
    ]
    return chain


def chosen(chain, **body):
    chain.run("container.create", body)
    return chain.call.hints["package"]["name"]


def refusal(chain, **body):
    with pytest.raises(InvalidParameter) as raised:
        chain.run("container.create", body)
    return raised.value.message


@pytest.mark.parametrize(
    ("memory", "name"),
    [
        (None, "sample-1G"),
        (0, "sample-1G"),
        (1, "sample-512M"),
        (512 * MIB, "sample-512M"),
        (512 * MIB + 1, "sample-1G"),
        (1 * GIB, "sample-1G"),
        (1025 * MIB, "sample-jill"),
        (3 * GIB, "sample-4G"),
        (4 * GIB, "sample-4G"),
    ],
)
def test_the_smallest_package_that_has_the_memory(chain, memory, name):
    assert chosen(chain, HostConfig=spec(Memory=memory)) == name


@pytest.mark.parametrize(
    ("limits", "name", "larger"),
    [
        ({"NanoCpus": 10**9}, "sample-1G", False),
        ({"NanoCpus": 2 * 10**9}, "sample-1G", False),
        ({"NanoCpus": 2 * 10**9 + 1}, "sample-4G", True),
        ({"CpuQuota": 300_000}, "sample-4G", True),
        ({"CpuQuota": 300_000, "CpuPeriod": 200_000}, "sample-1G", False),
        ({"Memory": 1, "NanoCpus": 10**9}, "sample-1G", True),
        ({"Memory": 3 * GIB, "NanoCpus": 3 * 10**9}, "sample-4G", False),
        ({"NanoCpus": 5 * 10**9}, "sample-8G", True),
    ],
)
def test_the_smallest_package_that_has_the_cpus_too(chain, limits, name, larger):
    caps = {"sample-512M": 50, "sample-1G": 200, "sample-jill": 200, "sample-4G": 400, "sample-8G": None}
    chain.center.packages = [
        package(f"00000000-0000-4000-8000-00000000000{n}", name, memory, cpu_cap=caps[name])
        for n, (name, memory) in enumerate(zip(caps, (512, 1024, 2048, 4096, 8192), strict=True))
    ]
    assert chosen(chain, HostConfig=spec(**limits)) == name
    assert chain.call.hints["package_for_cpus"] is larger
    chain.center.packages.pop()
    if name == "sample-8G":
        message = "no package supports the given container constraints: memory=1g, cpus=5"
        assert refusal(pipelined(chain), HostConfig=spec(**limits)) == message


def pipelined(old):
    """A chain that has read no list of packages yet."""
    chain = pipeline(Packages)
    chain.center.packages = old.center.packages
    return chain


def test_no_host_config_means_the_default_memory(chain):
    assert chosen(chain) == "sample-1G"


def test_options():
    chain = pipeline(Packages, prefix="g4-", default_memory=32)
    chain.center.packages.append(package("eeeeeeee-0000-4000-8000-000000000006", "g4-highcpu-64M", 64))
    assert chosen(chain) == "g4-highcpu-64M"


@pytest.mark.parametrize(("memory", "shown"), [(65 * GIB, "65g"), (4 * GIB + 1, "4g"), (5000 * GIB, "4t")])
def test_too_much_memory(chain, memory, shown):
    message = f"no package supports the given container constraints: memory={shown}"
    assert refusal(chain, HostConfig=spec(Memory=memory)) == message


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("sample-512M", "sample-512M"),
        ("g4-highcpu-64M", "g4-highcpu-64M"),
        ("bbbbbbbb", "sample-1G"),
        ("BBBBBBBB", "sample-1G"),
        ("bbbbbbbb-0000-4000-8000-000000000003", "sample-1G"),
        ("beadbead", "beadbead"),
        (JILL_ONLY, "sample-jill"),
        (TWIN_B, "twin"),
    ],
)
def test_the_label_wins_over_memory(chain, label, name):
    body = {"Labels": {"com.joyent.package": label}, "HostConfig": spec(Memory=64 * GIB)}
    assert chosen(chain, **body) == name


@pytest.mark.parametrize("label", ["", "a", "-ab", "ab-", "a..b", "a_-b", "a b", "a*", "a)(uuid=*", "ab\n"])
def test_labels_that_are_no_package_names(chain, label):
    assert refusal(chain, Labels={"com.joyent.package": label}) == f"invalid value for com.joyent.package: {label}"
    assert chain.center.asked == []


@pytest.mark.parametrize("label", ["sample-8G", "sample-old", "sample-tom", "99999999", JILL_ONLY[:-1] + "9"])
def test_labels_of_packages_that_are_not_to_be_had(chain, label):
    assert refusal(chain, Labels={"com.joyent.package": label}) == "no packages match parameters"


@pytest.mark.parametrize("label", ["twin", "aaaaaaaa"])
def test_ambiguous_labels(chain, label):
    message = f"no package supports the given container constraints: com.joyent.package={label}"
    assert refusal(chain, Labels={"com.joyent.package": label}) == message


def test_the_filter_is_the_one_papi_expects(chain):
    chosen(chain)
    owner = chain.account.uuid
    expected = f"(&(active=true)(|(owner_uuids={owner})(!(owner_uuids=*)))(name=sample-*))"
    assert chain.center.asked == [("papi.list_packages", (expected,), {})]


def test_lists_are_cached_apart_for_each_account_and_never_when_empty(chain):
    for _ in range(3):
        chosen(chain)
    assert len(chain.center.asked) == 1
    chain.account = chain.account.__class__(uuid="tom", login="tom")
    assert chosen(chain, HostConfig=spec(Memory=650 * MIB)) == "sample-tom"
    for count in (3, 4):
        refusal(chain, Labels={"com.joyent.package": "nosuch"})
        assert len(chain.center.asked) == count


def test_the_hint_may_be_changed_without_changing_the_cache(chain):
    chosen(chain)
    chain.call.hints["package"]["name"] = "mine"
    assert chosen(chain) == "sample-1G"


def test_without_papi_creating_has_to_wait(chain):
    chain.center.broken["papi"] = ServiceUnavailable("papi", 503, "ServiceUnavailable", "down")
    with pytest.raises(Unavailable):
        chain.run("container.create", {})


def test_only_creates_choose_a_package(chain):
    chain.run("container.start")
    assert "package" not in chain.call.hints


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0b"), (1023, "1023b"), (1024, "1k"), (1536 * MIB, "1g"), (1 << 50, "1024t")]
)
def test_human_sizes(size, shown):
    assert human_size(size) == shown
