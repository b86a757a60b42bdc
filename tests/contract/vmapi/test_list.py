"""``GET /vms``: strictness, predicates, order, pages."""

from __future__ import annotations

import json

import pytest


def names(answer):
    assert answer.status_code == 200, answer.json
    return [vm["alias"] for vm in answer.json]


@pytest.fixture
def three(world):
    return [
        world.create(alias, tags={"docker:label:tier": tier}) for alias, tier in (("a", "x"), ("b", "y"), ("c", "x"))
    ]


def test_empty(world):
    answer = world.http.get("/vms?state=active&offset=0")
    assert (answer.status_code, answer.json, answer.headers["x-joyent-resource-count"]) == (200, [], "0")


@pytest.mark.parametrize(
    "query",
    [
        "include_destroyed=true", "state=failed", "state=provisioning", "brand=docker", "limit=0", "limit=1001",
        "limit=x", "offset=-1", "fields=nics", "fields=alias,image_uuid", "fields=exit_status", "sort=nics",
        "sort=alias.up", "sort=ram", "ram=much", "docker=yes", "alias=-a", "create_timestamp=yesterday", "uuid=abc", "owner_uuid=abc", "uuids=abc", "predicate=nonsense", "query=(nonsense",
        'predicate={"and":[{"eq":["docker",true]}]}', 'predicate={"eq":["secret","x"]}',
        'predicate={"eq":["a","b"],"ne":["a","b"]}', 'marker={"uuid":"x"}', "marker=[]",
    ],
)  # fmt: skip
def test_refused(world, query):
    answer = world.http.get(f"/vms?{query}")
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed")
    assert answer.json["errors"]


def test_head_counts(world, three):
    answer = world.http.head("/vms?state=active")
    assert answer.headers["x-joyent-resource-count"] == "3"
    assert answer.data == b""


def test_default_order_is_uuid_downwards(world, three):
    uuids = [vm["uuid"] for vm in world.http.get("/vms").json]
    assert uuids == sorted(uuids, reverse=True)


def test_sort_is_downwards_unless_told(world, three):
    assert names(world.http.get("/vms?sort=alias")) == ["c", "b", "a"]
    assert names(world.http.get("/vms?sort=alias.asc")) == ["a", "b", "c"]
    assert names(world.http.get("/vms?sort=alias.desc")) == ["c", "b", "a"]


def test_pages(world, three):
    page = world.http.get("/vms?sort=alias.asc&limit=2&offset=1")
    assert names(page) == ["b", "c"]
    assert page.headers["x-joyent-resource-count"] == "3"


def test_markers_walk_through_everything(world, three):
    query = {"sort": "max_physical_memory.asc", "limit": "1"}
    seen = []
    while page := world.http.get("/vms", query_string=query).json:
        seen.append(page[0]["alias"])
        query["marker"] = json.dumps({"uuid": page[0]["uuid"], "max_physical_memory": page[0]["ram"]})
    assert sorted(seen) == ["a", "b", "c"]


def test_marker_excludes_offset(world, three):
    marker = json.dumps({"uuid": three[0]["uuid"]})
    assert world.http.get("/vms", query_string={"marker": marker, "offset": "1"}).status_code == 409


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("alias=b", ["b"]),
        ("alias=b*", ["b"]),
        ("tag.docker:label:tier=x", ["a", "c"]),
        ('internal_metadata.docker:cmd=["sh"]', ["a", "b", "c"]),
        ("docker=true", ["a", "b", "c"]),
        ("docker=false", []),
        ("state=stopped", ["a", "b", "c"]),
        ("state=running", []),
        ("brand=lx&ram=1024", ["a", "b", "c"]),
        ("query=(alias=a)", ["a"]),
        ('predicate={"or":[{"eq":["alias","a"]},{"eq":["alias","c"]}]}', ["a", "c"]),
        ('predicate={"and":[{"ne":["alias","a"]},{"gt":["ram",1000]}]}', ["b", "c"]),
        ('predicate={"lt":["ram",1000]}', []),
    ],
)
def test_filters(world, three, query, expected):
    assert sorted(names(world.http.get(f"/vms?{query}"))) == expected


def test_by_the_moment_of_creation(world, three):
    from datacenter.clock import epoch

    world.vmapi.table.put({**three[1], "create_timestamp": "2020-01-02T03:04:05.678Z"})
    for moment in (
        "2020-01-02T03:04:05.678Z",
        "2020-01-02T03:04:05.678+00:00",
        round(epoch("2020-01-02T03:04:05.678Z") * 1000),
    ):
        assert names(world.http.get("/vms", query_string={"create_timestamp": moment})) == ["b"]


def test_a_marker_may_stand_beside_no_offset_at_all(world, three):
    first = max(vm["uuid"] for vm in three)
    query = {"marker": json.dumps({"uuid": first}), "offset": "0"}
    assert len(world.http.get("/vms", query_string=query).json) == 2
    refused = world.http.get("/vms", query_string={**query, "offset": "1"})
    assert refused.json["errors"][0]["fields"] == ["offset", "marker"]
    assert refused.json["errors"][0]["code"] == "ConflictingParameters"


def test_markers_along_creation(world, three):
    query = {"sort": "create_timestamp.desc", "limit": "1"}
    seen = []
    while page := world.http.get("/vms", query_string=query).json:
        seen.append(page[0]["create_timestamp"])
        query["marker"] = json.dumps({"uuid": page[0]["uuid"], "create_timestamp": page[0]["create_timestamp"]})
    assert seen == sorted((vm["create_timestamp"] for vm in three), reverse=True)
    query["marker"] = json.dumps({"uuid": three[0]["uuid"], "create_timestamp": "then"})
    assert world.http.get("/vms", query_string=query).status_code == 409


def test_role_tags_are_told_when_asked_for(world, three):
    world.vmapi.role_tags.put(three[0]["uuid"], [three[1]["uuid"]])
    assert "role_tags" not in world.http.get("/vms?alias=a").json[0]
    assert world.http.get("/vms?alias=a&fields=role_tags,alias").json == [
        {"alias": "a", "role_tags": [three[1]["uuid"]]}
    ]
    assert world.http.get(f"/vms/{three[2]['uuid']}?fields=role_tags").json == {"role_tags": []}


def test_uuids(world, three):
    wanted = ",".join(vm["uuid"] for vm in three[:2])
    assert sorted(names(world.http.get(f"/vms?uuids={wanted}"))) == ["a", "b"]


def test_uuid_prefix(world, three):
    predicate = json.dumps({"eq": ["uuid", three[1]["uuid"][:13] + "*"]})
    assert names(world.http.get("/vms", query_string={"predicate": predicate})) == ["b"]


def test_fields(world, three):
    found = world.http.get("/vms?alias=a&fields=uuid,alias,tags").json
    assert found == [{key: three[0][key] for key in ("uuid", "alias", "tags")}]
    assert world.http.get("/vms?alias=a&fields=*").json == [{**three[0], "role_tags": []}]


def test_fields_of_one_vm_are_not_checked(world, three):
    vm = three[0]
    found = world.http.get(f"/vms/{vm['uuid']}?fields=nics,image_uuid,nothing").json
    assert found == {"nics": vm["nics"], "image_uuid": vm["image_uuid"]}
