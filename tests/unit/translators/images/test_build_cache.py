"""The steps of builds, as docker builder prune and docker system df know them."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter
from gateway.state.undertakings import BUILD
from gateway.versions import ApiVersion
from tests.unit.translators.images.conftest import OWNER
from translators.images import build_cache, removal

NOTHING = {"CachesDeleted": None, "SpaceReclaimed": 0}


def pruned(world, filters=None, **query):
    return build_cache.prune(world.call(filters=json.dumps(filters or {}), **query))


def known(world):
    return sorted(record.config_digest[7] for record in world.state.images.all(OWNER))


def test_steps_are_shown_and_take_no_room(world, line):
    step = line[1]
    assert build_cache.cache(world.call()) == [
        {
            "ID": step.config_digest, "Parents": [line[0].config_digest], "Type": "regular", "Description": "step 1",
            "InUse": False, "Shared": True, "Size": 0, "CreatedAt": "2026-01-02T00:00:00Z", "LastUsedAt": None,
            "UsageCount": 0,
        }
    ]  # fmt: skip
    old = world.call()
    old.version = ApiVersion(1, 41)
    assert build_cache.cache(old)[0]["Parent"] == line[0].config_digest


def test_all_steps_are_forgotten_and_what_was_made_of_them_stays(world, line):
    assert pruned(world) == NOTHING
    assert pruned(world, all="1") == {"CachesDeleted": [line[1].config_digest], "SpaceReclaimed": 0}
    assert known(world) == ["a", "c"]
    assert set(world.imgapi.images) >= {"uuid-a", "uuid-c"}
    assert world.state.images.get(OWNER, line[2].config_digest).parent == ""
    assert pruned(world, all="1") == NOTHING
    assert removal.remove(world.call(), "made:1", force=False)
    assert known(world) == ["a"]


@pytest.mark.parametrize("query", [{"keep-storage": "1"}, {"reserved-space": "10"}, {"max-used-space": "10"}])
def test_room_that_the_cache_may_have_keeps_it(world, line, query):
    assert pruned(world, all="1", **query) == NOTHING
    assert pruned(world, all="1", **dict.fromkeys(query, "0"))["CachesDeleted"]


@pytest.mark.parametrize(
    ("filters", "goes"),
    [
        ({"until": ["1h"]}, True),
        ({"until": ["2026-01-01"]}, False),
        ({"unused-for": ["2026-01-01"]}, False),
        ({"id": ["sha256:" + "b" * 64]}, True),
        ({"id": ["sha256:" + "a" * 64]}, False),
        ({"parent": ["sha256:" + "a" * 64]}, True),
        ({"parent": ["other"]}, False),
        ({"type": ["regular"]}, True),
        ({"type": ["exec.cachemount"]}, False),
        ({"description": ["step 1"]}, True),
        ({"inuse": ["false"]}, True),
        ({"inuse": ["true"]}, False),
        ({"shared": ["true"], "private": ["false"]}, True),
        ({"private": ["true"]}, False),
        ({"label": ["a=b"]}, False),  # as docker system prune sends it to everything
        ({"label!": ["a=b"]}, True),
    ],
)
def test_filters(world, line, filters, goes):
    assert bool(pruned(world, filters, all="1")["CachesDeleted"]) is goes


def test_what_is_wrong_is_refused(world, line):
    for wrong in ({"filters": {"bogus": ["x"]}}, {"keep-storage": "much"}, {"filters": {"until": ["then"]}}):
        with pytest.raises(InvalidParameter):
            pruned(world, all="1", **wrong)
    assert known(world) == ["a", "b", "c"]


def test_steps_in_use_stay(world, line):
    """A container made from one, and a build that may come to need any of them."""
    vm = {
        "uuid": "u",
        "owner_uuid": OWNER,
        "state": "stopped",
        "alias": "x",
        "create_timestamp": "2026-01-01T00:00:00Z",
    }
    world.vmapi.vms = [vm | {"internal_metadata": {"docker:id": "c" * 64, "docker:imageid": line[1].config_digest}}]
    assert (pruned(world, all="1"), build_cache.cache(world.call())[0]["InUse"]) == (NOTHING, True)
    world.vmapi.vms = []
    with world.state.undertakings.under_way(BUILD, "some-vm", OWNER):
        assert (pruned(world, all="1"), build_cache.cache(world.call())[0]["InUse"]) == (NOTHING, True)
    with world.state.undertakings.under_way(BUILD, "some-vm", "somebody else"):
        assert pruned(world, all="1")["CachesDeleted"]
