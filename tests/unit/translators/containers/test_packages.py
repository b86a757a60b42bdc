"""What a package has holds its container, when it is made and when it changes."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter
from tests.unit.translators.containers.conftest import LINUX, PACKAGE
from tests.unit.translators.containers.test_create import create
from tests.unit.translators.containers.test_lifecycle import put
from translators.containers import update
from translators.containers.inspect import inspect
from translators.containers.model import HostConfig

SMALL = PACKAGE | {"name": "small", "cpu_cap": 100, "max_lwps": 200, "max_swap": 512}


def sized(world, capabilities=LINUX):
    """A call that gets a small package."""
    world.capabilities = capabilities
    call = world.call("container.create")
    call.hints["package"] = SMALL
    return call


def test_processes_and_swap_are_held_to_the_package(world):
    asked = {"PidsLimit": 201, "Memory": 64 << 20, "MemorySwap": -1}
    warnings = create(world, "web", sized(world), HostConfig=asked)["Warnings"]
    assert warnings[-2:] == [
        "PidsLimit 201 is carried out as 200, the most that the package small has.",
        "MemorySwap -1 is carried out as 512m, the most that the package small has.",
    ]
    linux = json.loads(world.vm("web")["internal_metadata"]["docker:linux"])
    assert (linux["PidsLimit"], linux["MemorySwapBytes"]) == (200, 512 << 20)
    shown = inspect(world.call(), "web")["HostConfig"]
    assert (shown["PidsLimit"], shown["MemorySwap"]) == (200, 512 << 20)
    exact = {"PidsLimit": 200, "Memory": 128 << 20, "MemorySwap": 512 << 20}
    assert create(world, "exact", sized(world), HostConfig=exact)["Warnings"] == []


@pytest.mark.parametrize("asked", [{"NanoCpus": 1_500_000_000}, {"CpuQuota": 300_000, "CpuPeriod": 200_000}])
def test_more_cpus_than_the_package_that_a_label_names(world, asked):
    with pytest.raises(InvalidParameter, match=r"1\.5 CPUs are more than the package small has: 1"):
        create(world, "web", sized(world), HostConfig=asked)


def test_a_package_that_was_chosen_for_its_cpus_is_told(world):
    call = sized(world)
    call.hints["package_for_cpus"] = True
    told = create(world, "web", call, HostConfig={"NanoCpus": 900_000_000})["Warnings"]
    assert told == ["The package small was chosen for its 1 CPUs."]


def test_a_plain_node_gives_the_cpus_of_the_package(world):
    told = create(world, "web", sized(world, frozenset()), HostConfig={"NanoCpus": 900_000_000, "PidsLimit": 999})
    assert told["Warnings"] == [
        "NanoCpus is carried out as the CPUs of the package small.",
        "PidsLimit is not supported by this data center and has no effect.",
    ]


def capped(world, name="web", **kept):
    """A running container whose package has 1 CPU, 200 processes and 512 MiB of swap."""
    vm = put(world, name, "running")
    sizes = {"cpu_cap": 100, "max_lwps": 200, "max_swap": 512}
    im = vm["internal_metadata"] | {"docker:hostconfig": json.dumps(kept)}
    world.vmapi.vms[vm["uuid"]] = {**vm, **sizes, "internal_metadata": im}
    return world.call("container.update")


def test_update_holds_processes_and_swap_to_the_package(world):
    told = update.update(capped(world, Memory=64 << 20), "web", HostConfig(PidsLimit=300, MemorySwap=-1))
    assert told["Warnings"] == [
        "PidsLimit 300 is carried out as 200, the most that the package sample-128M has.",
        "MemorySwap -1 is carried out as 512m, the most that the package sample-128M has.",
    ]
    ((_, sent),) = world.vmapi.acts
    linux = json.loads(sent["internal_metadata"]["docker:linux"])
    assert (linux["PidsLimit"], linux["MemorySwapBytes"]) == (200, 512 << 20)


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ({}, HostConfig(NanoCpus=1_500_000_000)),
        ({"CpuQuota": 75_000}, HostConfig(CpuPeriod=50_000)),
        ({"CpuPeriod": 50_000}, HostConfig(CpuQuota=75_000)),
    ],
)
def test_update_gives_no_more_cpus_than_the_package_has(world, kept, asked):
    with pytest.raises(InvalidParameter, match=r"1\.5 CPUs are more than the package sample-128M has: 1"):
        update.update(capped(world, **kept), "web", asked)
    assert world.vmapi.acts == []


def test_what_an_old_container_has_beyond_its_package_stays_until_that_changes(world):
    call = capped(world, PidsLimit=999, NanoCpus=2_000_000_000)
    assert update.update(call, "web", HostConfig(CpuShares=7))["Warnings"] == []
    smaller = {"uuid": "11111111-94af-6266-e0e8-893a3b9993d0", "name": "sample-64M", "cpu_cap": 50, "max_lwps": 100}
    call.hints["package"] = smaller
    with pytest.raises(InvalidParameter, match=r"2 CPUs are more than the package sample-64M has: 0\.5"):
        update.update(call, "web", HostConfig(Memory=64 << 20))
    call = capped(world, "other", PidsLimit=999)
    call.hints["package"] = smaller
    (pids, moved) = update.update(call, "other", HostConfig(Memory=64 << 20))["Warnings"]
    assert pids.startswith("PidsLimit 999 is carried out as 100")
    assert moved.startswith("The container's package is now sample-64M")
