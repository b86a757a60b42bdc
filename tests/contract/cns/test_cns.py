"""CNS: which names a container has, when, and what it searches."""

from __future__ import annotations

import pytest

from datacenter.services.cns import Cns

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def http(world):
    world.cns = Cns(world)
    world.mahi.set_attributes("admin", triton_cns_enabled=True)
    return world.cns.app.test_client()


@pytest.fixture
def zone(world):
    return f"{world.owner}.emb.cns.test"


def test_names_of_a_container_and_of_its_services(world, http, zone):
    vm = world.create("My_Web", tags={"sdc_docker": True, "triton.cns.services": "web:8080,db , web"})
    inst = [f"{vm['uuid']}.inst.{zone}", f"my-web.inst.{zone}"]
    told = http.get(f"/vm/{vm['uuid']}").json
    assert told == {"uuid": vm["uuid"], "names": inst, "last_visit": told["last_visit"]}
    assert told["last_visit"] % 1000 == 0
    world.act(vm, "start")
    assert http.get(f"/vm/{vm['uuid']}").json["names"] == [*inst, f"web.svc.{zone}", f"db.svc.{zone}"]
    world.act(vm, "stop")
    assert http.get(f"/vm/{vm['uuid']}").json["names"] == inst


def test_a_container_that_wants_no_names(world, http):
    vm = world.create("web", tags={"sdc_docker": True, "triton.cns.disable": True})
    assert http.get(f"/vm/{vm['uuid']}").json["names"] == []


def test_accounts_that_want_no_names(world, http):
    vm = world.create("web")
    world.mahi.set_attributes("admin", triton_cns_enabled=False)
    assert http.get(f"/vm/{vm['uuid']}").json["names"] == []
    assert http.post("/suffixes-for-vm", json={"owner_uuid": world.owner, "networks": []}).json == {"suffixes": []}


def test_a_long_alias_gives_no_name(world, http, zone):
    vm = world.create("a" * 63)
    assert http.get(f"/vm/{vm['uuid']}").json["names"] == [f"{vm['uuid']}.inst.{zone}"]


def test_suffixes(world, http, zone):
    body = {"owner_uuid": world.owner, "networks": [world.network["uuid"]]}
    assert http.post("/suffixes-for-vm", json=body).json == {"suffixes": [f"svc.{zone}", f"inst.{zone}"]}
    for wrong in ({"owner_uuid": "me"}, {"owner_uuid": world.owner, "networks": ["x"]}, {}):
        answer = http.post("/suffixes-for-vm", json=wrong)
        assert (answer.status_code, answer.json["code"]) == (409, "InvalidArgument")
    absent = http.post("/suffixes-for-vm", json={"owner_uuid": ABSENT, "networks": []})
    assert (absent.status_code, absent.json["code"]) == (404, "ResourceNotFound")


def test_zones_and_the_peers_there_are_not(http):
    assert http.get("/ping").json == {"status": "OK"}
    assert "CNS" in http.get("/version").json["version"]
    (zone,) = http.get("/zones").json
    assert (zone["name"], zone["serial"] > 0) == ("emb.cns.test", True)
    assert http.get("/peers").json == http.get("/allowed-peers").json == []
    for answer in (
        http.get("/peer/10.0.0.1"),
        http.delete("/peer/10.0.0.1"),
        http.get(f"/vm/{ABSENT}"),
        http.get("/vm/x"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")
