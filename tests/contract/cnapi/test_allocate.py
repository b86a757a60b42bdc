"""Where VMs go: capacity, spread, affinity in Docker's notation, shared volumes; and the sentences of refusals."""

from __future__ import annotations

import pytest

from grammars import affinity as grammar

NONE = "No compute resources available: "


def wish(expression):
    """An affinity expression in the form of a payload."""
    return grammar.parse(expression).payload()


@pytest.fixture
def three(empty_world):
    for _ in range(3):
        empty_world.add_node(disk_gib=1000)
    return empty_world


def place(world, *expressions, **fields):
    return world.create(affinity=[wish(expression) for expression in expressions], **fields)["server_uuid"]


def refusal(world, *expressions, **fields):
    payload = world.payload(affinity=[wish(expression) for expression in expressions], **fields)
    answer = world.http.post("/vms", json=payload)
    assert answer.status_code == 409, answer.json
    return answer.json


def test_bad_parameters(world):
    answer = world.cnapi.app.test_client().post("/allocate", json={})
    assert answer.status_code == 500
    assert answer.json == {
        "code": "InvalidParameters",
        "message": "Request parameters failed validation",
        "errors": [
            {"field": "image", "code": "Invalid", "message": "value is not an object. (was: [object Undefined])"},
            {"field": "vm", "code": "Invalid", "message": "value is not an object. (was: [object Undefined])"},
            {"field": "nic_tags", "code": "Invalid", "message": "value was not an array"},
        ],
    }


def test_a_dry_run_shows_its_steps_and_makes_nothing(three):
    body = {"vm": three.payload(ram=1024, quota=5), "image": {}, "package": three.package, "nic_tags": ["external"]}
    answer = three.cnapi.app.test_client().post("/allocate", json=body)
    assert answer.status_code == 200
    assert answer.json["server"]["sysinfo"]["Live Image"]
    assert [step["step"] for step in answer.json["steps"]]
    assert all(step.keys() == {"step", "remaining", "reasons"} for step in answer.json["steps"])
    assert answer.json["imgapiPeers"] == []
    assert three.vmapi.table.all() == []


def test_spread(three):
    assert {place(three) for _ in range(3)} == {node.uuid for node in three.nodes}


def test_racing_creates_do_not_over_commit(empty_world):
    empty_world.add_node(memory=2500)
    answers = [empty_world.http.post("/vms", json=empty_world.payload(max_physical_memory=1024)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 409, 409]
    assert answers[-1].json["message"] == NONE + "no servers with enough unreserved RAM"


def test_disk(empty_world):
    empty_world.add_node(disk_gib=10)
    assert refusal(empty_world, quota=11)["message"] == NONE + "no servers with enough unreserved disk"
    place(empty_world, quota=10)


def test_stated_server_is_taken(three):
    wanted = three.nodes[1].uuid
    assert place(three, server_uuid=wanted) == wanted


def test_reserved_dead_and_untagged_servers_are_left_out(three, monkeypatch):
    first, second, third = three.nodes
    http = three.cnapi.app.test_client()
    http.post(f"/servers/{first.uuid}", json={"reserved": True})
    monkeypatch.setitem(three.cnapi.servers._heard, second.uuid, -(10**9))
    assert {place(three) for _ in range(3)} == {third.uuid}
    http.post(f"/servers/{third.uuid}/sysinfo", json={"sysinfo": {**third.sysinfo(), "Network Interfaces": {}}})
    assert refusal(three)["message"] == NONE + "no servers with the requested nic tags"


def test_no_servers(empty_world):
    assert refusal(empty_world)["code"] == "NoAllocatableServersError"


@pytest.mark.parametrize("value", ["db1", "db*", "/^d.1$/"])
def test_near_and_far_by_name(three, value):
    home = place(three, alias="db1")
    assert {place(three, f"container=={value}") for _ in range(2)} == {home}
    assert home not in {place(three, f"container!={value}") for _ in range(3)}


def test_by_id(three):
    vm = three.create("db1")
    docker_id = vm["internal_metadata"]["docker:id"]
    for value in (vm["uuid"], docker_id, docker_id[:12]):
        assert place(three, f"container=={value}") == vm["server_uuid"]


def test_by_label_and_by_tag(three):
    labelled = three.create(tags={"docker:label:role": "db"})
    tagged = three.create(tags={"role2": "db"})
    assert place(three, "role==db") == labelled["server_uuid"]
    assert place(three, "role2==db") == tagged["server_uuid"]
    assert place(three, "role==d*") == labelled["server_uuid"]


def test_several_hard_rules_hold_together(three):
    homes = [place(three, alias=name) for name in ("a", "b", "c")]
    assert place(three, "container!=a", "container!=b") == homes[2]
    answer = refusal(three, "container!=a", "container!=b", "container!=c")
    assert answer["code"] == "NoAllocatableServersError"


def test_nothing_matches_the_name(three):
    assert refusal(three, "container==nope")["message"] == (
        NONE + 'no active containers found matching "nope" for affinity "container==nope"'
    )


def test_nothing_matches_the_tag(three):
    assert refusal(three, "foo==bar2")["message"] == (
        NONE + 'no active containers found matching tag "foo=bar2" for affinity "foo==bar2"'
    )


def test_other_accounts_containers_do_not_count(three):
    three.create("db1", owner_uuid="00000000-0000-4000-8000-000000000001")
    assert "no active containers" in refusal(three, "container==db1")["message"]


def test_destroyed_containers_do_not_count(three):
    vm = three.create("db1")
    three.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert "no active containers" in refusal(three, "container==db1")["message"]


def test_far_from_nothing_is_anywhere(three):
    place(three, "container!=nope")


def test_soft_rules_prefer_and_never_refuse(three):
    home = place(three, alias="db1")
    assert {place(three, "container==~db1") for _ in range(3)} == {home}
    assert place(three, "container!=~db1") != home
    place(three, "container==~nope")


def test_beside_hard_rules_soft_ones_are_ignored(three):
    homes = {name: place(three, alias=name) for name in ("a", "b", "c")}
    assert place(three, "container==a", "container==~b") == homes["a"]


@pytest.mark.parametrize("rule", [{"key": "a"}, {"key": "a", "operator": "~", "value": "b"}, "x",
                                  {"key": "a", "operator": "==", "value": "/(/", "valueType": "re"}])  # fmt: skip
def test_nonsense_rules(three, rule):
    answer = three.http.post("/vms", json=three.payload(affinity=[rule]))
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")


@pytest.mark.parametrize("pattern", ["/(a+)+-/", "/a*a*a*a*-/", "/(a|a)*-/"])
def test_patterns_that_would_keep_everybody_waiting(three, pattern):
    three.create("a" * 60)
    answer = three.http.post("/vms", json=three.payload(affinity=[wish(f"container=={pattern}")]))
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")
    assert "too costly" in answer.json["errors"][0]["message"]


def test_locality(three):
    vm = three.create()
    near = {"near": [vm["uuid"]], "strict": True}
    assert {place(three, locality=near) for _ in range(2)} == {vm["server_uuid"]}
    assert place(three, locality={"far": vm["uuid"], "strict": True}) != vm["server_uuid"]
    assert place(three, locality={"near": vm["uuid"]}) == vm["server_uuid"]


def test_volumes_from_shares_the_server(three):
    vm = three.create()
    metadata = {"docker:volumesfrom": f'["{vm["uuid"]}"]'}
    assert place(three, internal_metadata=metadata) == vm["server_uuid"]
    answer = refusal(three, internal_metadata=metadata, max_physical_memory=7000)
    assert answer["code"] == "VolumeServerNoResourcesError"


def decide(world, number, **changes):
    """Change a server as an operator does."""
    node = world.nodes[number]
    answer = world.cnapi.app.test_client().post(f"/servers/{node.uuid}", json=changes)
    assert answer.status_code == 204
    return node.uuid


def test_traits_are_for_those_who_want_them(three):
    fast = decide(three, 0, traits={"ssd": True, "zone": ["a", "b"]})
    assert fast not in {place(three) for _ in range(4)}
    three.package = three.papi.create(
        {
            **{k: v for k, v in three.package.items() if k not in ("uuid", "created_at", "updated_at")},
            "name": "fast",
            "traits": {"ssd": True, "zone": "b"},
        }
    )
    assert {place(three) for _ in range(2)} == {fast}
    decide(three, 0, traits={"ssd": True, "zone": "a"})
    assert refusal(three)["message"] == NONE + "no servers with the required traits"


def test_a_reservoir_server_comes_last(three):
    last = decide(three, 1, reservoir=True)
    assert last not in {place(three) for _ in range(6)}
    decide(three, 0, reserved=True)
    decide(three, 2, reserved=True)
    assert place(three) == last


def test_cpu_is_promised_as_often_as_the_server_says(empty_world):
    empty_world.add_node(memory=1 << 20)
    decide(empty_world, 0, overprovision_ratios={"cpu": 1.0})
    place(empty_world, cpu_cap=300)
    assert refusal(empty_world, cpu_cap=200)["message"] == NONE + "no servers with enough unreserved CPU"
    decide(empty_world, 0, overprovision_ratios={"cpu": 2.0})
    place(empty_world, cpu_cap=200)


def test_each_server_has_ratios_of_its_own(empty_world):
    roomy, tight = (empty_world.add_node(memory=2048, disk_gib=1000) for _ in range(2))
    decide(empty_world, 0, overprovision_ratios={"ram": 8.0})
    assert {place(empty_world, max_physical_memory=1024) for _ in range(4)} == {roomy.uuid}
    decide(empty_world, 0, reserved=True)
    assert place(empty_world, max_physical_memory=1024) == tight.uuid


@pytest.mark.parametrize("locality", ["near", {"near": "x"}, {"far": [1]}, {"strict": "yes"}])
def test_nonsense_localities(three, locality):
    body = {"vm": {**three.payload(), "locality": locality}, "image": {}, "package": three.package, "nic_tags": []}
    answer = three.cnapi.app.test_client().post("/allocate", json=body)
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")
    assert answer.json["errors"][0]["field"] == "vm.locality"


def test_near_some_and_far_from_others(three):
    near, far = (three.create(name) for name in ("near", "far"))
    locality = {"near": [near["uuid"]], "far": far["uuid"], "strict": True}
    assert {place(three, locality=locality) for _ in range(2)} == {near["server_uuid"]}
    impossible = {"near": near["uuid"], "far": near["uuid"], "strict": True}
    assert refusal(three, locality=impossible)["message"] == NONE + "no servers satisfy the locality asked for"
    assert place(three, locality={**impossible, "strict": False})


def test_reasons_say_what_threw_a_server_out(three):
    decide(three, 0, reserved=True)
    decide(three, 1, traits={"gpu": True})
    body = {
        "vm": three.payload(),
        "image": {},
        "package": three.package,
        "nic_tag_requirements": [["external", "other"]],
    }
    steps = three.cnapi.app.test_client().post("/allocate", json=body).json["steps"]
    reasons = {uuid: reason for step in steps for uuid, reason in step["reasons"].items()}
    assert reasons[three.nodes[0].uuid] == "reserved"
    assert reasons[three.nodes[1].uuid] == 'trait "gpu" is True on the server, False is wanted'
    assert steps[-1]["remaining"] == [three.nodes[2].uuid]
