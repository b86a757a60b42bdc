"""The action ``update``, and the routes of tags and metadata: what may change into what."""

from __future__ import annotations

import pytest

from tests.contract.conftest import IMAGE

OTHER = "00000000-0000-4000-8000-000000000000"
MESSAGE = "Invalid VM update parameters"
KINDS = ("tags", "customer_metadata", "internal_metadata")


@pytest.fixture
def vm(world):
    return world.create("web1", tags={"sdc_docker": True, "role": "www"})


def update(world, vm, **changes):
    job = world.act(vm, "update", **changes)
    assert job["execution"] == "succeeded", job["chain_results"][-1]
    return world.vmapi.vm(vm["uuid"])


def refused(answer, message=MESSAGE):
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed"), answer.json
    assert answer.json["message"] == message
    return [(error["field"], error["code"]) for error in answer.json["errors"]]


def test_nothing_to_update(world, vm):
    assert refused(world.http.post(f"/vms/{vm['uuid']}?action=update", json={}), "No VM parameters provided") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"brand": "joyent"}, "brand"), ({"alias": "-a"}, "alias"), ({"ram": -1}, "ram"), ({"autoboot": "yes"}, "autoboot"),
        ({"new_owner_uuid": "x"}, "new_owner_uuid"), ({"resolvers": "8.8.8.8"}, "resolvers"), ({"max_swap": 1}, "max_swap"),
        ({"tags": {"triton.x": "y"}}, "tags"), ({"tags": {"sdc_docker": True, "triton.cns.disable": "no"}}, "tags"),
        ({"tags": {"role": "x"}}, "tags"), ({"customer_metadata": {"root_pw": "x"}}, "customer_metadata"),
        ({"internal_metadata": {"a": []}}, "internal_metadata"), ({"billing_id": OTHER}, "billing_id"),
    ],
)  # fmt: skip
def test_refused(world, vm, changes, field):
    assert field in {name for name, _ in refused(world.http.post(f"/vms/{vm['uuid']}?action=update", json=changes))}
    assert world.vmapi.vm(vm["uuid"]) == vm


@pytest.mark.parametrize(("changes", "field"), [({"max_physical_memory": 99999}, "ram"), ({"quota": 99999}, "quota")])
def test_no_further_than_the_server_goes_unless_forced(world, vm, changes, field):
    path = f"/vms/{vm['uuid']}?action=update"
    assert refused(world.http.post(path, json=changes)) == [(field, "InsufficientCapacity")]
    assert update(world, vm, **changes, force=True)[next(iter(changes))] == 99999


@pytest.mark.parametrize(("needs", "ram"), [({"max_ram": 512}, 600), ({"min_ram": 512}, 300)])
def test_sizes_that_the_image_is_not_made_for(world, vm, needs, ram):
    world.imgapi.manifests[IMAGE]["requirements"] = needs
    assert refused(world.http.post(f"/vms/{vm['uuid']}?action=update", json={"ram": ram})) == [("ram", "Invalid")]


def test_another_owner(world, vm):
    after = update(world, vm, new_owner_uuid=OTHER)
    assert after["owner_uuid"] == OTHER
    assert {nic["owner_uuid"] for nic in after["nics"]} == {OTHER}
    assert {nic["owner_uuid"] for nic in world.napi.nics.of(vm["uuid"])} == {OTHER}
    assert world.wfapi.engine.find({"vm_uuid": vm["uuid"]})[0]["params"]["subtask"] == "change_owner"
    world.create("web1")


def test_another_owner_who_has_the_name_already(world, vm):
    world.create("web1", owner_uuid=OTHER)
    path = f"/vms/{vm['uuid']}?action=update"
    assert refused(world.http.post(path, json={"new_owner_uuid": OTHER})) == [("alias", "Duplicate")]


def test_a_failed_change_of_owner_frees_the_name(world, vm):
    world.node.failures["machine_update"] = [("InternalError", "no")]
    assert world.act(vm, "update", new_owner_uuid=OTHER)["execution"] == "failed"
    world.create("web1", owner_uuid=OTHER)
    assert world.vmapi.vm(vm["uuid"])["owner_uuid"] == world.owner


def test_volumes_stay_their_owners(world, vm):
    world.vmapi.table.put({**vm, "internal_metadata": {"sdc:volumes": "[]"}})
    path = f"/vms/{vm['uuid']}?action=update"
    assert refused(world.http.post(path, json={"new_owner_uuid": OTHER})) == [("new_owner_uuid", "Invalid")]


@pytest.mark.parametrize(
    "tags",
    [{"triton.cns.services": "web,db:5432"}, {"triton.cns.disable": True}, {"triton.cns.reverse_ptr": "a.example.com"},
     {"triton.cmon.groups": "a"}],
)  # fmt: skip
def test_tags_of_tritons_own(world, tags):
    assert tags.items() <= world.create(tags={"sdc_docker": True, **tags})["tags"].items()


@pytest.mark.parametrize(
    "tags",
    [{"triton.cns.services": 7}, {"triton.cns.services": "a b"}, {"triton.cns.disable": "true"},
     {"triton.cns.reverse_ptr": "-"}, {"triton.cns.nonsense": "x"}],
)  # fmt: skip
def test_tags_that_are_not(world, tags):
    assert refused(world.http.post("/vms", json=world.payload(tags=tags)), "Invalid VM parameters") == [
        ("tags", "Invalid")
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_metadata_is_added_to_replaced_and_deleted(world, vm, kind, state):
    if state == "running":
        world.act(vm, "start")
    path = f"/vms/{vm['uuid']}/{kind}"
    special = {"sdc_docker": True} if kind == "tags" else {}

    def after(method, where="", **body):
        answer = world.http.open(path + where, method=method, json=body or None)
        assert (answer.status_code, answer.json["vm_uuid"]) == (202, vm["uuid"])
        assert answer.headers["workflow-api"] == world.settings.url("wfapi")
        assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"
        held = world.http.get(path).json
        assert held == world.vmapi.vm(vm["uuid"])[kind]
        return held

    before = world.http.get(path).json
    assert after("POST", a="1", b=2) == {**before, "a": "1", "b": 2}
    assert world.http.get(f"{path}/b").json == 2
    assert after("DELETE", "/a") == {**before, "b": 2}
    assert after("PUT", c=False, **special) == {"c": False, **special}
    if kind != "tags":
        assert after("DELETE") == {}


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_that_is_none(world, vm, kind):
    path = f"/vms/{vm['uuid']}/{kind}"
    for method in ("POST", "PUT"):
        for body in ({}, {"a": []}, {"a": {}}, {"a": None}, []):
            answer = world.http.open(path, method=method, json=body)
            assert {field for field, _ in refused(answer, "Invalid Metadata parameters")} == {kind}
    for method in ("GET", "DELETE"):
        answer = world.http.open(f"{path}/none", method=method)
        assert (answer.status_code, answer.json) == (
            404,
            {"code": "ResourceNotFound", "message": "Metadata key not found"},
        )
    assert world.http.get(f"{path}?owner_uuid={OTHER}").status_code == 404
    assert world.http.post(f"/vms/{OTHER}/{kind}", json={"a": "b"}).status_code == 404
    assert world.http.get(f"/vms/{vm['uuid']}/metadata").status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_a_provisioning_vm_keeps_what_it_was_given(world, kind):
    vm_uuid = world.http.post("/vms", json=world.payload(tags={"a": "b"}, customer_metadata={"a": "b"})).json["vm_uuid"]
    path = f"/vms/{vm_uuid}/{kind}"
    for method, where in (("POST", ""), ("PUT", ""), ("DELETE", "")):
        answer = world.http.open(path + where, method=method, json={"x": "y"})
        assert (answer.status_code, answer.json["code"]) == (409, "UnallocatedVM")


def test_tags_by_which_docker_knows_its_containers_stay(world, vm):
    path = f"/vms/{vm['uuid']}/tags"
    for method, where, body in (
        ("PUT", "", {"x": "y"}),
        ("DELETE", "", None),
        ("DELETE", "/sdc_docker", None),
        ("POST", "", {"docker:label:com.docker.x": "y"}),
        ("PUT", "", {"sdc_docker": False}),
    ):
        assert {field for field, _ in refused(world.http.open(path + where, method=method, json=body))} == {"tags"}
    assert world.vmapi.vm(vm["uuid"])["tags"] == vm["tags"]
