"""PAPI against what the real one (7.2.5) was seen to answer."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re

import pytest

UUID = "24a0b84c-14de-4bc6-9c32-8e1a5c6b5cf0"
ABSENT = "00000000-0000-4000-8000-000000000000"
OWNER = "930896af-bf8c-48d4-885c-6573a94b1853"

ASKED = {
    "name": "test-1G",
    "version": "1.0.0",
    "active": True,
    "cpu_cap": 200,
    "max_lwps": 1000,
    "max_physical_memory": 1024,
    "max_swap": 4096,
    "quota": 25600,
    "zfs_io_priority": 100,
    "vcpus": 1,
    "default": False,
    "group": "sample",
    "uuid": UUID,
    "fss": 50,
}
WRITTEN = (
    '{"uuid":"24a0b84c-14de-4bc6-9c32-8e1a5c6b5cf0","name":"test-1G","version":"1.0.0","active":true,"vcpus":1,'
    '"cpu_cap":200,"max_lwps":1000,"max_physical_memory":1024,"max_swap":4096,"quota":25600,"zfs_io_priority":100,'
    '"fss":50,"default":false,"group":"sample","created_at":"%s","updated_at":"%s","v":1}'
)


@pytest.fixture
def http(dc):
    return dc.papi.app.test_client()


def test_a_package_is_made_and_read_back(http):
    made = http.post("/packages", json=ASKED)
    assert made.status_code == 201
    written = WRITTEN % (made.json["created_at"], made.json["created_at"])
    assert made.text == written
    assert made.headers["Location"] == f"/packages/{UUID}"
    assert made.headers["request-id"] == UUID
    assert made.headers["Server"] == "SDC Package API 7.2.5"
    assert made.headers["Api-Version"] == "7.2.5"
    digest = base64.b64encode(hashlib.md5(made.data).digest()).decode()
    assert made.headers["Content-MD5"] == digest
    found = http.get(f"/packages/{UUID}")
    assert (found.status_code, found.text) == (200, written)


def test_packages_tell_when_they_were_made_and_changed(http):
    made = http.post("/packages", json={**ASKED, "created_at": "2015-01-01T00:00:00.000Z"}).json
    assert made["created_at"] == "2015-01-01T00:00:00.000Z"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["updated_at"])
    changed = http.put(f"/packages/{UUID}", json={**made, "description": "x"}).json
    assert changed == {**made, "description": "x", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] >= made["updated_at"]
    assert all(package["created_at"] for package in http.get("/packages").json)


def test_a_uuid_is_used_once(http):
    http.post("/packages", json=ASKED)
    again = http.post("/packages", json=ASKED)
    assert again.status_code == 409
    assert again.json == {"code": "ConflictError", "message": "A package with the given UUID already exists"}


def test_all_that_is_wrong_is_told_at_once(http):
    refused = http.post("/packages", json={"name": "x"})
    assert refused.status_code == 409
    assert refused.json["code"] == "InvalidArgument"
    assert refused.json["message"] == "Package is invalid"
    missing = "active cpu_cap max_lwps max_physical_memory max_swap quota version zfs_io_priority".split()
    name = (
        "must match /^[a-zA-Z0-9]([a-zA-Z0-9_\\-.]+)?[a-zA-Z0-9]$/ and not contain repeated '-', '_' or '.' characters"
    )
    assert refused.json["errors"] == [
        *({"field": field, "code": "Missing", "message": "is missing"} for field in missing),
        {"field": "name", "code": "Invalid", "message": name},
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quota", 1000),
        ("max_swap", 512),
        ("cpu_cap", "200%"),
        ("active", "yes"),
        ("owner_uuids", ["me"]),
        ("colour", "red"),
        ("name", "a--b"),
        ("traits", []),
    ],
)
def test_wrong_values_are_refused(http, field, value):
    refused = http.post("/packages", json={**ASKED, field: value})
    assert refused.status_code == 409
    assert [error["field"] for error in refused.json["errors"]] == [field]


def test_an_absent_package(http):
    absent = http.get(f"/packages/{ABSENT}")
    assert absent.status_code == 404
    assert absent.json == {"code": "ResourceNotFound", "message": f"Package {ABSENT} does not exist"}


MINE = f"(|(owner_uuids={OWNER})(!(owner_uuids=*)))"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"name": "sample-{\\2a}"}, 0),
        ({"name": "sample-*", "active": "true"}, 10),
        ({"filter": "(&(active=true)(max_physical_memory>=1024)(name=sample-*))"}, 7),
        ({"filter": f"(&(active=true){MINE}(name=sample-*))"}, 10),
        ({"filter": f"(&(active=true)(uuid={UUID}){MINE})"}, 1),
        ({"filter": f"(&(active=true)(|(name={UUID[:8]})(uuid={UUID[:8]}-*)))"}, 1),
        ({"name": '["sample-1G","sample-2G","nope"]'}, 2),
        ({"name": ["sample-1G", "sample-2*", "nope"]}, 3),
        ({"name": "sdc_volume_nfs*"}, 11),
        ({"max_physical_memory": "1024", "name": "sample-*"}, 1),
        ({"owner_uuids": OWNER, "name": "*1G"}, 2),
        ({"owner_uuids": f'["{OWNER}"]', "name": "*1G"}, 2),
        ({"owner_uuids": ABSENT, "name": "*1G"}, 1),
        ({"name": "sample-1G", "colour": "red"}, 1),
        ({"name": "[1,"}, 0),
        ({"filter": "(name=sample-*)", "name": "nope"}, 10),
    ],
)
def test_searches(http, query, count):
    http.post("/packages", json={**ASKED, "owner_uuids": [OWNER]})
    found = http.get("/packages", query_string=query)
    assert found.status_code == 200
    assert found.headers["x-resource-count"] == str(count)
    assert len(found.json) == count


def test_a_search_is_sorted_and_cut(http):
    query = {"name": "sample-*", "sort": "max_physical_memory", "order": "DESC", "limit": "2", "offset": "1"}
    found = http.get("/packages", query_string=query)
    assert [package["name"] for package in found.json] == ["sample-32G", "sample-16G"]
    assert found.headers["x-resource-count"] == "10"
    counted = http.head("/packages", query_string=query)
    assert (counted.data, counted.headers["x-resource-count"]) == (b"", "10")
    unsorted = [package["name"] for package in http.get("/packages?name=sample-*").json]
    assert [package["name"] for package in http.get("/packages?name=sample-*&order=DESC&limit=0").json] == unsorted
    by_name = http.get("/packages?name=sample-*&sort=name&order=upwards").json
    assert [package["name"] for package in by_name] == sorted(unsorted)


@pytest.mark.parametrize("query", [{"filter": "(name=x"}, {"limit": "many"}])
def test_unreadable_searches_are_refused(http, query):
    refused = http.get("/packages", query_string=query)
    assert (refused.status_code, refused.json["code"]) == (409, "InvalidArgument")


def test_what_vms_were_sized_by_changes_by_force_only(http):
    http.post("/packages", json=ASKED)
    refused = http.put(f"/packages/{UUID}", json={"quota": 51200})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (409, "quota")
    assert refused.json["message"] == "Attempt to update immutables"
    both = http.put(f"/packages/{UUID}", json={"quota": 51200, "name": "other", "group": "g"}).json
    assert [error["field"] for error in both["errors"]] == ["name", "quota"]
    assert "group" not in http.get(f"/packages/{UUID}").json or http.get(f"/packages/{UUID}").json["group"] != "g"
    assert http.put(f"/packages/{UUID}", json={"quota": 51200, "force": True}).json["quota"] == 51200
    invalid = http.put(f"/packages/{UUID}", json={"max_swap": 1, "force": True})
    assert (invalid.status_code, invalid.json["message"]) == (409, "Updated package is invalid")
    assert http.put(f"/packages/{UUID}", json={"active": False, "quota": 51200}).json["active"] is False


def test_deleting_needs_force(http):
    http.post("/packages", json=ASKED)
    refused = http.delete(f"/packages/{UUID}")
    assert refused.status_code == 405
    assert refused.json == {"code": "BadMethod", "message": "Packages cannot be deleted"}
    assert http.delete(f"/packages/{UUID}?force=true").status_code == 204
    assert http.get(f"/packages/{UUID}").status_code == 404


def test_a_package_of_others_is_hidden_from_an_owner(http):
    http.post("/packages", json={**ASKED, "owner_uuids": [OWNER]})
    assert http.get(f"/packages/{UUID}?owner_uuids={OWNER}").status_code == 200
    assert http.get(f"/packages/{UUID}?owner_uuids={ABSENT}").status_code == 404
    several = json.dumps([ABSENT, OWNER])
    assert http.get(f"/packages/{UUID}", query_string={"owner_uuids": several}).status_code == 200
    assert http.get(f"/packages/{UUID}", query_string={"owner_uuids": json.dumps([ABSENT])}).status_code == 404
    assert http.get(f"/packages/{UUID}", query_string={"owner_uuids": "5"}).status_code == 404


def test_every_package_is_a_valid_one(http):
    refused = http.post("/packages", json={"name": "x", "skip_validation": True})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (409, "skip_validation")


def test_ping(http):
    assert http.get("/ping").json == {"pid": os.getpid(), "backend": "up"}


def test_nothing_is_found_by_attributes_that_hold_objects(http):
    answer = http.get("/packages?traits=x")
    assert (answer.status_code, answer.data) == (404, b"")
    assert http.get("/packages?traits=x&name=sample-1G").status_code == 200


def test_answers_are_full_ones(http):
    """What the captured service said in every answer's headers."""
    headers = http.get(f"/packages/{ABSENT}").headers
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, PUT, DELETE"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Expose-Headers"] == "Api-Version, Request-Id, Response-Time"
    assert headers["Request-Id"] == ABSENT
    listed = http.get("/packages", headers={"x-request-id": OWNER}).headers
    assert (listed["Access-Control-Allow-Methods"], listed["Request-Id"]) == ("GET, HEAD, POST", OWNER)
