"""Lists of volumes: by parameters, by predicates, and what is refused of both."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def three(volumes, world):
    """``used`` of 20 GiB, by a VM; ``idle``; and ``broken``, which failed."""
    used = volumes.create("used", size=20480)
    world.volapi.refer(used["uuid"], world.owner)
    volumes.create("idle")
    world.node.failures["machine_create"] = [("InternalError", "no space")]
    volumes.create("broken")
    return volumes


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["used", "idle", "broken"]),
        ("?name=idle", ["idle"]),
        ("?name=absent", []),
        ("?name=id*", ["idle"]),
        ("?name=*e", ["idle"]),
        ("?name=*e*", ["used", "idle", "broken"]),
        ("?state=failed", ["broken"]),
        ("?size=20480", ["used"]),
        ("?type=tritonnfs&state=ready", ["used", "idle"]),
        ("?owner_uuid={owner}&state=ready&name=idle", ["idle"]),
        ("?owner_uuid=930896af-bf8c-48d4-885c-6573a94b1853", []),
        ("?refs={owner}", ["used"]),
        ("?refs=930896af-bf8c-48d4-885c-6573a94b1853", []),
    ],
)
def test_by_parameters(three, world, query, names):
    assert three.listed(query.format(owner=world.owner)) == names


@pytest.mark.parametrize(
    ("predicate", "names"),
    [
        ({"eq": ["state", "ready"]}, ["used", "idle"]),
        ({"ne": ["state", "failed"]}, ["used", "idle"]),
        ({"eq": ["dangling", True]}, ["idle", "broken"]),
        ({"eq": ["dangling", False]}, ["used"]),
        ({"and": [{"eq": ["dangling", True]}, {"eq": ["state", "ready"]}]}, ["idle"]),
        ({"or": [{"eq": ["name", "used"]}, {"eq": ["name", "broken"]}]}, ["used", "broken"]),
        ({"gt": ["size", 10240]}, ["used"]),
        ({"le": ["size", 10240]}, ["idle", "broken"]),
        ({"eq": ["network", "FABRIC"]}, ["used", "idle", "broken"]),
        ({"ne": ["network", "FABRIC"]}, []),
    ],
)
def test_by_predicate(three, world, predicate, names):
    text = json.dumps(predicate).replace("FABRIC", world.fabric["uuid"])
    assert three.listed(f"?predicate={text}") == names


def test_predicate_and_parameters_together(three, world):
    """As sdc-docker asks for one volume by its name."""
    text = json.dumps({"eq": ["state", "ready"]})
    assert three.listed(f"?name=used&owner_uuid={world.owner}&predicate={text}") == ["used"]
    assert three.listed(f"?name=broken&owner_uuid={world.owner}&predicate={text}") == []


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("?colour=red", "invalid parameter: colour"),
        ("?name=a/b", "invalid value for name search parameter"),
        ("?size=large", "invalid value for size search parameter, must match /^[1-9][0-9]*$/"),
        ("?state=gone", "Volume state: gone is invalid"),
        ("?owner_uuid=me", "me is not a valid owner_uuid UUID"),
        ('?predicate={"eq":["state"', "Could not parse JSON predicate"),
        ('?predicate={"eq":["colour","red"]}', 'unknown field "colour"'),
        ('?predicate={"eq":["dangling","yes"]}', 'Dangling predicate: "yes" is not a valid dangling predicate.'),
        ('?predicate={"eq":["size","big"]}', 'Volume size: "big" is not a valid volume size.'),
        ('?name=x&predicate={"eq":["name","xx"]}', 'predicate has "name" which conflicts with query parameter'),
    ],
)
def test_what_is_refused(volumes, query, cause):
    status, code, message = volumes.refusal(volumes.http.get(f"/volumes{query}"))
    assert (status, code) == (409, "ValidationError")
    assert cause in message
