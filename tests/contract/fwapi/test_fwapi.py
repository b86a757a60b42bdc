"""FWAPI against what the real one was seen to answer."""

from __future__ import annotations

import re
import uuid

import pytest

OWNER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
OTHER = "930896af-bf8c-48d4-885c-6573a94b1853"
VM = "c0a80164-1111-4aaa-8bbb-0123456789ab"
ABSENT = "00000000-0000-4000-8000-000000000000"


class Vms:
    """VMAPI as far as FWAPI asks it."""

    def __init__(self):
        self.docs = [
            {"uuid": VM, "owner_uuid": OWNER, "tags": {"sdc_docker": True, "role": "db"}, "state": "running"},
            {"uuid": str(uuid.uuid4()), "owner_uuid": OWNER, "tags": {"role": "db"}, "state": "destroyed"},
            {"uuid": str(uuid.uuid4()), "owner_uuid": OTHER, "tags": {"role": "db"}, "state": "running"},
        ]

    def vm(self, vm_uuid):
        return next((vm for vm in self.docs if vm["uuid"] == vm_uuid), None)

    def vms(self, **equal):
        return [vm for vm in self.docs if all(vm[name] == value for name, value in equal.items())]


@pytest.fixture
def http(dc):
    dc.vmapi = Vms()
    return dc.fwapi.app.test_client()


def add(http, rule, **fields):
    answer = http.post("/rules", json={"owner_uuid": OWNER, "enabled": True, "rule": rule, **fields})
    assert answer.status_code == 202, answer.json
    return answer.json


@pytest.mark.parametrize(
    ("rule", "stored"),
    [
        (f"FROM any TO vm {VM} ALLOW tcp PORT 80", f"FROM any TO vm {VM} ALLOW tcp PORT 80"),
        (f"FROM any to vm {VM} ALLOW tcp (port 80)", f"FROM any TO vm {VM} ALLOW tcp PORT 80"),
        (
            "FROM tag sdc_docker TO tag sdc_docker ALLOW udp PORT all",
            'FROM tag "sdc_docker" TO tag "sdc_docker" ALLOW udp PORT all',
        ),
    ],
)
def test_a_rule_is_kept_in_its_normal_form(http, rule, stored):
    made = http.post("/rules", json={"owner_uuid": OWNER, "enabled": True, "rule": rule})
    assert made.status_code == 202
    assert uuid.UUID(made.headers["x-update-id"])
    assert made.headers["Server"] == "SmartDC Firewall API"
    assert list(made.json) == ["enabled", "log", "owner_uuid", "rule", "uuid", "version"]
    assert (made.json["rule"], made.json["enabled"], made.json["log"]) == (stored, True, False)
    assert re.fullmatch(r"\d{13}\.\d{6}", made.json["version"])
    assert http.get(f"/rules/{made.json['uuid']}?owner_uuid={OWNER}").json == made.json


def test_what_is_no_rule_is_refused_with_its_place(http):
    refused = http.post("/rules", json={"owner_uuid": OWNER, "enabled": True, "rule": "FROM nowhere"})
    assert refused.status_code == 422
    message = "Error at character 4: 'nowhere', expected: '(', 'all', 'any', 'ip', 'subnet', 'vm', 'tag', found: word"
    assert refused.json == {
        "code": "InvalidParameters",
        "message": "Invalid parameters",
        "errors": [{"field": "rule", "code": "InvalidParameter", "message": message}],
    }


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"rule": "FROM any TO all vms ALLOW ah"}, "owner_uuid", "MissingParameter"),
        ({"owner_uuid": "x", "rule": "FROM any TO all vms ALLOW ah"}, "owner_uuid", "InvalidParameter"),
        (
            {"owner_uuid": OWNER, "rule": "FROM any TO all vms ALLOW ah", "enabled": "maybe"},
            "enabled",
            "InvalidParameter",
        ),
    ],
)
def test_parameters_are_checked(http, body, field, code):
    refused = http.post("/rules", json=body)
    assert refused.status_code == 422
    assert [(error["field"], error["code"]) for error in refused.json["errors"]] == [(field, code)]


def test_a_rule_must_be_told(http):
    for body in ({"owner_uuid": OWNER}, {"owner_uuid": OWNER, "rule": ""}):
        refused = http.post("/rules", json=body)
        told = {"code": "MissingParameter", "message": '"rule" parameter required'}
        assert (refused.status_code, refused.json) == (409, told)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/vms")])
def test_what_is_no_uuid_names_no_rule(http, method, path):
    refused = http.open(f"/rules/nope{path}", method=method)
    problem = {"field": "uuid", "code": "InvalidParameter", "message": "Invalid UUID"}
    told = {"code": "InvalidParameters", "message": "Invalid parameters", "errors": [problem]}
    assert (refused.status_code, refused.json) == (422, told)


def test_a_callers_uuid_is_used_once(http):
    rule = add(http, f"FROM any TO vm {VM} ALLOW tcp PORT 80", uuid=ABSENT)
    assert rule["uuid"] == ABSENT
    again = http.post("/rules", json=rule)
    assert again.json["errors"][0]["code"] == "Duplicate"


def test_a_change_keeps_the_rest(http):
    rule = add(http, f"FROM any TO vm {VM} ALLOW tcp PORT 80")
    changed = http.put(f"/rules/{rule['uuid']}", json={"owner_uuid": OWNER, "enabled": False})
    assert changed.status_code == 202
    assert uuid.UUID(changed.headers["x-update-id"])
    assert changed.json == {**rule, "enabled": False, "version": changed.json["version"]}
    assert http.put(f"/rules/{rule['uuid']}", json={"rule": "FROM"}).status_code == 422


def test_absent_and_foreign_rules(http):
    absent = http.get(f"/rules/{ABSENT}?owner_uuid={OWNER}")
    assert (absent.status_code, absent.json) == (404, {"code": "ResourceNotFound", "message": "Rule not found"})
    rule = add(http, "FROM any TO all vms ALLOW ah")
    for method in (http.get, http.delete):
        assert method(f"/rules/{rule['uuid']}?owner_uuid={OTHER}").status_code == 403
    problem = {"field": "owner_uuid", "code": "InvalidParameter", "message": "owner_uuid does not match"}
    assert http.put(f"/rules/{rule['uuid']}", json={"owner_uuid": OTHER}).json == {
        "code": "Forbidden",
        "message": "owner does not match",
        "errors": [problem],
    }
    gone = http.delete(f"/rules/{rule['uuid']}?owner_uuid={OWNER}")
    assert (gone.status_code, gone.data) == (204, b"")
    assert http.get(f"/rules/{rule['uuid']}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"owner_uuid={OWNER}", "abcd"),
        (f"owner_uuid={OTHER}", ""),
        ("tag=sdc_docker", "b"),
        ("tag=role%3Ddb", "c"),
        ("tag=role%3Dwww", ""),
        (f"vm={VM}", "a"),
        ("ip=10.0.0.1", "d"),
        ("wildcard=any", "ad"),
        ("protocol=tcp", "ab"),
        ("action=block", "c"),
        ("enabled=false", "d"),
        ("description=b", "b"),
        ("limit=1&offset=1", "b"),
    ],
)
def test_list_filters(http, query, found):
    add(http, f"FROM any TO vm {VM} ALLOW tcp PORT 80", description="a")
    add(http, "FROM tag sdc_docker TO tag sdc_docker ALLOW tcp PORT all", description="b")
    add(http, "FROM tag role = db TO all vms BLOCK udp PORT 53", description="c")
    add(http, "FROM (ip 10.0.0.1 OR vm 00000000-0000-4000-8000-000000000000) TO any ALLOW icmp TYPE 8",
        description="d", enabled=False)  # fmt: skip
    listed = http.get(f"/rules?{query}")
    assert listed.status_code == 200
    assert "".join(rule["description"] for rule in listed.json) == found


@pytest.mark.parametrize("query", ["colour=red", "fields=parsed.colour", "limit=0", "ip=300.0.0.1", "subnet=x"])
def test_list_parameters_are_strict(http, query):
    add(http, "FROM ip 10.0.0.1 TO all vms ALLOW ah")
    add(http, "FROM subnet 10.0.0.0/8 TO all vms ALLOW ah")
    refused = http.get(f"/rules?{query}")
    assert (refused.status_code, refused.json["code"]) == (422, "InvalidParameters")


def test_parsed_fields(http):
    rule = add(http, "FROM tag sdc_docker TO tag sdc_docker ALLOW tcp PORTS 80, 443-500")
    add(http, "FROM tag a = b TO tag a = c ALLOW icmp TYPE all")
    fields = "fields=parsed.action&fields=parsed.ports&fields=parsed.protocol&fields=parsed.tags,uuid"
    first, second = http.get(f"/rules?{fields}&owner_uuid={OWNER}").json
    assert first == {
        "uuid": rule["uuid"],
        "parsed": {
            "action": "allow",
            "ports": [80, {"start": 443, "end": 500}],
            "protocol": "tcp",
            "fromtags": {"sdc_docker": {"all": True}},
            "totags": {"sdc_docker": {"all": True}},
        },
    }
    assert second["parsed"]["fromtags"] == {"a": {"values": {"b": True}}}
    assert "ports" not in second["parsed"]


def test_the_rules_of_a_vm_and_the_vms_of_a_rule(http):
    own = add(http, f"FROM any TO vm {VM} ALLOW tcp PORT 80")
    tagged = add(http, "FROM tag role = db TO any BLOCK udp PORT 53")
    add(http, "FROM any TO tag role = www ALLOW ah")
    add(http, "FROM any TO all vms ALLOW esp", owner_uuid=OTHER)
    everywhere = add(http, "FROM any TO all vms ALLOW icmp TYPE 8", **{"global": True, "owner_uuid": None})
    assert "owner_uuid" not in everywhere
    listed = http.get(f"/firewalls/vms/{VM}?owner_uuid={OWNER}")
    assert listed.json == [own, tagged, everywhere]
    assert http.get(f"/firewalls/vms/{VM}?owner_uuid={OTHER}").status_code == 404
    assert http.get(f"/firewalls/vms/{ABSENT}").status_code == 404
    assert [vm["uuid"] for vm in http.get(f"/rules/{tagged['uuid']}/vms").json] == [VM]
    assert len(http.get(f"/rules/{everywhere['uuid']}/vms").json) == 2


def test_a_destroyed_vm_takes_its_own_rules_along(dc, http):
    add(http, f"FROM any TO vm {VM} ALLOW tcp PORT 80")
    shared = add(http, f"FROM any TO (vm {VM} OR vm {ABSENT}) ALLOW tcp PORT 80")
    tagged = add(http, f"FROM tag role TO vm {VM} ALLOW tcp PORT 80")
    dc.fwapi.vm_destroyed(VM)
    assert http.get("/rules").json == [shared, tagged]


def test_updates_and_ping(http):
    update = http.post("/updates", json={"type": "vm.delete", "uuid": VM, "owner_uuid": OWNER})
    assert update.status_code == 202
    assert uuid.UUID(update.json["update_uuid"])
    services = {"fast": "online", "moray": "online", "ufds": "online"}
    assert http.get("/ping").json == {"healthy": True, "services": services, "status": "OK"}
