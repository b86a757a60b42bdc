"""A container is put on a network of each volume that it mounts."""

from __future__ import annotations

import pytest

from gateway.errors import Conflict
from tests.unit.translators.containers.conftest import FABRIC
from tests.unit.translators.containers.test_create import create as create_container
from tests.unit.translators.volumes.test_volumes import create

OWN = "b8f02222-2222-4222-8222-222222222222"
CUT_OFF = "c8f03333-3333-4333-8333-333333333333"


@pytest.fixture(autouse=True)
def _networks(world, monkeypatch):
    """``own`` leads outside as the default one does, ``cut-off`` does not."""
    usual = world.napi.list_networks()
    more = [
        {"uuid": OWN, "name": "own", "fabric": True, "internet_nat": True},
        {"uuid": CUT_OFF, "name": "cut-off", "fabric": True, "internet_nat": False},
    ]
    monkeypatch.setattr(world.napi, "list_networks", lambda **_: usual + more)


def made(world, mode, *binds, name="web1"):
    """The warnings of a new container, and its networks with the primary one first."""
    told = create_container(world, name, HostConfig={"NetworkMode": mode, "Binds": list(binds)})
    nics = sorted(world.vm(name)["nics"], key=lambda nic: not nic.get("primary"))
    return told["Warnings"], [nic["network_uuid"] for nic in nics]


def test_one_on_another_network_joins_that_of_its_volume_and_is_told(world):
    create(world)
    warnings, networks = made(world, "own", "data:/data")
    assert networks == [OWN, FABRIC]
    assert warnings == ["The container joined network My-Fabric-Network, too, where volume data is."]


def test_one_network_is_enough_for_volumes_and_for_mounts_of_one_volume(world):
    create(world)
    create(world, "more")
    warnings, networks = made(world, "own", "data:/data", "data:/again", "more:/more")
    assert (len(warnings), networks) == (1, [OWN, FABRIC])


@pytest.mark.parametrize("mode, volume", [("bridge", "data"), ("own", "missing"), ("own", "there"), ("cut-off", "cut")])
def test_nothing_is_joined_without_need(world, mode, volume):
    """VMAPI makes what is missing on the container's own networks."""
    create(world)
    create(world, "there", DriverOpts={"network": "own"})
    create(world, "cut", DriverOpts={"network": "cut-off"})
    warnings, networks = made(world, mode, f"{volume}:/data")
    assert (warnings, len(networks)) == ([], 1)


def test_one_that_is_cut_off_stays_so(world):
    create(world)
    with pytest.raises(Conflict, match="volume data is reached on network My-Fabric-Network, which leads outside"):
        made(world, "cut-off", "data:/data")
    assert world.vmapi.vms == {}


def test_one_without_a_network_joins_nothing_that_it_would_see(world):
    create(world, DriverOpts={"network": "own"})
    warnings, networks = made(world, "none", "data:/data")
    assert (warnings, networks) == ([], [FABRIC, OWN])


def test_a_volume_on_networks_that_the_account_may_not_use_is_left_to_vmapi(world):
    create(world)
    world.volapi.named("data")["networks"] = ["gone"]
    assert made(world, "own", "data:/data") == ([], [OWN])
