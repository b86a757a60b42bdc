"""Bundles of servers' nics, from create to delete, and what NAPI says of each parameter that is wrong."""

from __future__ import annotations

import pytest

from tests.contract.napi.conftest import OWNER

SERVER = "44454c4c-5300-1057-804e-b5c04f445a31"
OTHER_SERVER = "44454c4c-5300-1057-804e-b5c04f445a32"
OF_ONE_SERVER = "belongs_to_uuid must match for all nics in the aggregation"


@pytest.fixture
def nic(http):
    """Make a nic of a server, or of something else; gives its MAC."""

    def make(belongs_to: str = SERVER, kind: str = "server") -> str:
        body = {"belongs_to_uuid": belongs_to, "belongs_to_type": kind, "owner_uuid": OWNER}
        return http.post("/nics", json=body).json["mac"]

    return make


def wrong(answer):
    """Message, and what is told of each field, of a 422."""
    assert (answer.status_code, answer.json["code"]) == (422, "InvalidParameters"), answer.json
    told = [(error["field"], error["code"], error["message"], error.get("invalid")) for error in answer.json["errors"]]
    return answer.json["message"], told


def test_from_create_to_delete(http, nic):
    macs = [nic(), nic()]
    made = http.post("/aggregations", json={"name": "aggr0", "macs": macs})
    expected = {"belongs_to_uuid": SERVER, "id": f"{SERVER}-aggr0", "lacp_mode": "off", "macs": macs, "name": "aggr0"}
    assert (made.status_code, made.json) == (200, expected)
    path = f"/aggregations/{SERVER}-aggr0"
    assert http.get(path).json == expected
    assert http.head(path).status_code == http.head("/aggregations").status_code == 200
    third = nic()
    changed = http.put(path, json={"lacp_mode": "active", "macs": [*macs, third.replace(":", "")]})
    expected |= {"lacp_mode": "active", "macs": [*macs, third]}
    assert (changed.status_code, changed.json) == (200, expected)
    assert http.put(path, json={"name": "aggr9", "id": f"{SERVER}-aggr9"}).json == expected
    tagged = http.put(path, json={"nic_tags_provided": "admin,external"}).json
    assert tagged == {**expected, "nic_tags_provided": ["admin", "external"]}
    assert http.put(path, json={"nic_tags_provided": []}).json == expected
    assert http.delete(path).status_code == 204
    for gone in (http.get(path), http.put(path, json={}), http.delete(path)):
        assert (gone.status_code, gone.json) == (
            404,
            {"code": "ResourceNotFound", "message": "aggregation not found"},
        )
    assert http.get(f"/nics/{third}").status_code == 200


def test_a_change_may_be_held_to_a_version(http, nic):
    made = http.post("/aggregations", json={"name": "aggr0", "macs": [nic()]})
    path, etag = f"/aggregations/{SERVER}-aggr0", made.headers["Etag"]
    changed = http.put(path, json={"lacp_mode": "passive"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json["lacp_mode"]) == (200, "passive")
    assert http.delete(path, headers={"If-Match": etag}).status_code == 412
    assert http.delete(path, headers={"If-Match": changed.headers["Etag"]}).status_code == 204


def test_lists(http, nic):
    first = http.post(
        "/aggregations", json={"name": "aggr0", "macs": nic(), "nic_tags_provided": ["admin", "external"]}
    ).json
    second = http.post("/aggregations", json={"name": "aggr1", "macs": nic(), "nic_tags_provided": ""}).json
    third = http.post("/aggregations", json={"name": "aggr0", "macs": nic(OTHER_SERVER)}).json
    assert http.get("/aggregations").json == [first, second, third]
    assert http.get("/aggregations?limit=1&offset=1").json == [second]
    assert http.get(f"/aggregations?belongs_to_uuid={SERVER}").json == [first, second]
    assert http.get(f"/aggregations?macs={first['macs'][0]},{third['macs'][0]}").json == [first, third]
    assert http.get("/aggregations?nic_tags_provided=external").json == [first]
    assert http.get("/aggregations?nic_tags_provided=sdc_overlay").json == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("belongs_to_uuid=x", ("belongs_to_uuid", "InvalidParameter", "invalid UUID", None)),
        ("macs=0:1:003:3:4:5", ("macs", "InvalidParameter", "invalid MAC address", ["0:1:003:3:4:5"])),
        ("macs=x,y", ("macs", "InvalidParameter", "invalid MAC addresses", ["x", "y"])),
        ("nic_tags_provided=dne", ("nic_tags_provided", "InvalidParameter", "nic tag does not exist", ["dne"])),
        ("colour=red", (["colour"], "UnknownParameters", "Unknown parameters: colour", None)),
        (
            "limit=0",
            ("limit", "InvalidParameter", "invalid limit, must be an integer greater than 0 or less than or equal to 1000", None),
        ),
        (
            "offset=-5",
            ("offset", "InvalidParameter", "invalid value, offset must be an integer greater than or equal to 0", None),
        ),
    ],
)  # fmt: skip
def test_wrong_filters(http, query, told):
    assert wrong(http.get(f"/aggregations?{query}")) == ("Invalid parameters", [told])


@pytest.mark.parametrize(
    ("field", "value", "message", "named"),
    [
        ("lacp_mode", 5, "must be a string", None),
        ("lacp_mode", "", "must not be empty", None),
        ("lacp_mode", "foo", "Invalid LACP mode. Supported modes: off, active, passive", None),
        ("macs", [f"1:2:3:4:5:{last}" for last in range(17)], "maximum of 16 MAC addresses supported", None),
        ("macs", "foobar", "invalid MAC addresses", ["foobar"]),
        ("macs", ["1:2:c:g:e:f", {}, 6], "invalid MAC addresses", ["1:2:c:g:e:f", "6", "object"]),
        ("macs", "1:2:c:b:e:f", "unknown MAC addresses", ["01:02:0c:0b:0e:0f"]),
        ("macs", 5, "must be an array of MAC addresses", None),
        ("macs", "", "must specify at least one MAC address", None),
        ("nic_tags_provided", {}, "must be an array", None),
        ("nic_tags_provided", [6], "must be a string", [6]),
        ("nic_tags_provided", ["dne1", "admin", "dne2"], "nic tags do not exist", ["dne1", "dne2"]),
    ],
)
def test_wrong_parameters(http, nic, field, value, message, named):
    body = {"name": "aggr0", "macs": [nic()]}
    told = ("Invalid parameters", [(field, "InvalidParameter", message, named)])
    assert wrong(http.post("/aggregations", json={**body, field: value})) == told
    assert http.get("/aggregations").json == []
    known = http.post("/aggregations", json=body).json
    assert wrong(http.put(f"/aggregations/{known['id']}", json={field: value})) == told
    assert http.get("/aggregations").json == [known]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (5, "must be a string"),
        ("", "must not be empty"),
        ("f-oo0", "must only contain numbers, letters and underscores"),
        ("foo", "must end in a number"),
        ("a" * 32, "must not be longer than 31 characters"),
    ],
)
def test_wrong_names(http, nic, name, message):
    answer = http.post("/aggregations", json={"name": name, "macs": [nic()]})
    assert wrong(answer) == ("Invalid parameters", [("name", "InvalidParameter", message, None)])


def test_what_lacks_is_told_at_once(http):
    lacks = [(field, "MissingParameter", "Missing parameter", None) for field in ("macs", "name")]
    assert wrong(http.post("/aggregations", json={})) == ("Missing parameters", lacks)


def test_nics_are_one_servers(http, nic):
    mine, others, zones = nic(), nic(OTHER_SERVER), nic("7d77edb5-e963-4c35-bb1b-ee2cdd0586b3", "zone")
    text = "all nics must have belongs_to_uuid of type server"
    mixed = [("macs", "InvalidParameter", OF_ONE_SERVER, None)]
    assert wrong(http.post("/aggregations", json={"name": "aggr0", "macs": [mine, others]}))[1] == mixed
    assert wrong(http.post("/aggregations", json={"name": "aggr0", "macs": [zones]}))[1] == [
        ("macs", "InvalidParameter", text, [zones])
    ]
    known = http.post("/aggregations", json={"name": "aggr0", "macs": [mine]}).json
    assert wrong(http.put(f"/aggregations/{known['id']}", json={"macs": [others]}))[1] == mixed
    assert wrong(http.post("/aggregations", json={"name": "aggr0", "macs": [mine]}))[1] == [
        ("name", "Duplicate", "aggregation with same belongs_to_uuid and name already exists", None)
    ]
