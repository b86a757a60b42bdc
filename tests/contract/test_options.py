"""The table of options is true: what it says of a field is what a client is told and shown."""

from __future__ import annotations

import itertools

import pytest

from gateway.body import decode
from gateway.versions import CEILING
from tests.contract.house import house, make_house
from translators.options import OPTIONS, Fate, Place

__all__ = ["house", "make_house"]

UNLESS = {case.unless for row in OPTIONS for case in row.cases if case.unless}
ABLE = {row.needs for row in OPTIONS if row.needs} | UNLESS | {"privileged"}
FABRIC = "My-Fabric-Network"
ENDPOINT = "NetworkingConfig.EndpointsConfig.*."
CREATE = [row for row in OPTIONS if row.operation == "container.create" and row.place is Place.BODY]
NUMBERS = itertools.count()


def body_of(name, value, beside=()):
    """A create body that says ``value`` at a path; ``beside`` are more fields of HostConfig."""
    return put({"Image": "busybox", "Cmd": ["sh"], "HostConfig": dict(beside)}, name, value)


def put(body, name, value):
    *parents, leaf = name.replace("EndpointsConfig.*", f"EndpointsConfig.{FABRIC}").split(".")
    holder = body
    for parent in parents:
        holder = holder.setdefault(parent, {})
    holder[leaf] = value
    return body


def create(house, body, version=None):
    version = version or CEILING
    return house.http.post(f"/v{version}/containers/create?name=option{next(NUMBERS)}", json=body)


def inspect(house, answer):
    return house.http.get(f"/containers/{answer.json['Id']}/json").json


def told(house, row, case, answer):
    """What became of a request, in the table's words."""
    if answer.status_code >= 400:
        return Fate.REFUSED, answer.status_code, case.says in answer.json["message"], answer.json["message"]
    fate = Fate.WARNED if answer.json["Warnings"] else Fate.HONOURED
    return fate, 0, case.says in answer.json["Warnings"], answer.json["Warnings"]


CASES = [(row, case) for row in CREATE for case in row.cases]


def label(entry):
    row, case = entry
    return f"{row.name}={str(case.value)[:40]}"


def test_every_case_is_told_as_the_table_says(make_house):
    house = make_house(ABLE - UNLESS - {"privileged"})
    before = house.things()
    wrong = []
    for row, case in CASES:
        version = case.version or row.until
        answer = create(house, body_of(row.name, case.value, case.beside), version if version != CEILING else None)
        fate, status, said, words = told(house, row, case, answer)
        if (fate, status, said) != (case.fate, case.status, True):
            wrong.append((label((row, case)), fate.value, status, words))
        if answer.status_code == 201:
            house.http.delete(f"/containers/{answer.json['Id']}?force=1")
    assert not wrong
    assert house.things() == before


def test_a_case_that_nodes_take_back_is_granted(make_house):
    house = make_house(ABLE - {"privileged"})
    lifted = [(row, case) for row, case in CASES if case.unless]
    assert lifted
    for row, case in lifted:
        answer = create(house, body_of(row.name, case.value, case.beside))
        assert (answer.status_code, answer.json.get("Warnings")) == (201, []), answer.text


HONOURED = [
    (row, sample) for row in CREATE if row.fate in {Fate.HONOURED, Fate.MAPPED} for sample in row.samples
]  # fmt: skip


def shown_at(container, name):
    if name.startswith(ENDPOINT):
        return container["NetworkSettings"]["Networks"][FABRIC][name.removeprefix(ENDPOINT)]
    if not name.startswith("HostConfig."):
        name = f"Config.{name}"
    for part in name.split("."):
        container = container[part]
    return container


def differs(row, sample, shown):
    """Whether inspect fails to show a sample again."""
    if row.name == "Env":
        return shown[-len(sample) :] != sample
    if row.name == "Labels":
        return not sample.items() <= shown.items()
    if row.name == "HostConfig.NetworkMode":
        return shown != ("bridge" if sample == "default" else sample)
    return shown != sample


def test_what_is_honoured_is_shown_again(make_house):
    house = make_house(ABLE - {"privileged"})
    wrong = []
    for row, sample in HONOURED:
        answer = create(house, body_of(row.name, sample))
        if answer.status_code != 201:
            wrong.append((row.name, sample, answer.json))
            continue
        warnings = [
            text for text in answer.json["Warnings"] if "is rounded up" not in text and "is the disk of" not in text
        ]
        shown = inspect(house, answer)
        if warnings or differs(row, sample, shown_at(shown, row.name)):
            wrong.append((row.name, sample, warnings, shown_at(shown, row.name)))
        house.http.delete(f"/containers/{answer.json['Id']}?force=1")
    assert not wrong


def test_without_its_capability_an_option_is_told_to_have_no_effect(make_house):
    house = make_house()
    wrong = []
    for row, sample in HONOURED:
        if not row.needs or row.name == "HostConfig.RestartPolicy":
            continue
        answer = create(house, body_of(row.name, sample))
        quiet = sample in ({}, [], "") or row.name == "HostConfig.Memory"
        named = any(row.leaf in text for text in answer.json.get("Warnings", ()))
        if answer.status_code != 201 or not (named or quiet):
            wrong.append((row.name, sample, answer.json))
    assert not wrong


def test_every_default_is_honoured_without_a_word(make_house):
    answer = create(make_house(), {"Image": "busybox", "HostConfig": {}})
    assert answer.json["Warnings"] == []


def test_the_node_is_told_of_every_limit(make_house):
    house = make_house(ABLE)
    rows = [(row, row.samples[0]) for row in CREATE if row.key and row.samples]
    host = {row.leaf: sample for row, sample in rows if row.leaf not in {"CpuPeriod", "CpuQuota", "Memory"}}
    assert create(house, {"Image": "busybox", "HostConfig": host | {"Memory": 1 << 30}}).status_code == 201
    (made,) = house.node.did("machine_create")[-1:]
    linux = decode(made["internal_metadata"]["docker:linux"].encode())
    assert {row.key for row, _ in rows if row.leaf in host} <= linux.keys()


def test_a_disabled_network_is_none(make_house):
    house = make_house(ABLE)
    answer = create(house, {"Image": "busybox", "NetworkDisabled": True})
    assert inspect(house, answer)["HostConfig"]["NetworkMode"] == "none"


def test_an_address_is_asked_of_napi(make_house):
    house = make_house(ABLE)
    (network,) = [n for n in house.dc.napi.networks(provisionable_by=house.owner) if n["name"] == FABRIC]
    address = network["provision_start_ip"].rsplit(".", 1)[0] + ".77"
    answer = create(house, body_of("NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address", address))
    assert inspect(house, answer)["NetworkSettings"]["Networks"][FABRIC]["IPAddress"] == address


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("10.128.0.1", 403, "Address already in use"),  # the gateway's
        ("10.128.3.255", 403, "Address already in use"),  # everybody's
        ("10.99.0.1", 400, "invalid endpoint settings: no configured subnet contains IP address 10.99.0.1"),
    ],
)
def test_an_address_that_nobody_can_have_is_refused(house, address, status, words):
    before = house.things()
    answer = create(house, body_of("NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address", address))
    assert (answer.status_code, answer.json["message"]) == (status, words)
    assert house.http.post("/networks/create", json={"Name": "own"}).status_code == 201
    endpoint = {"IPAMConfig": {"IPv4Address": "10.128.4.1" if status == 403 else address}}
    joined = house.http.post("/networks/own/connect", json={"Container": "down", "EndpointConfig": endpoint})
    assert (joined.status_code, joined.json["message"]) == (status, words)
    assert house.things() == before


def test_an_address_that_another_has_is_refused_and_nothing_is_told_of_whose(house):
    body = body_of("NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address", "10.128.0.77")
    assert create(house, body).status_code == 201
    answer = create(house, body)
    assert (answer.status_code, answer.json) == (403, {"message": "Address already in use"})


@pytest.mark.parametrize("size", [{}, {"h": "x", "w": "1"}, {"h": "1"}])
def test_a_terminal_has_a_height_and_a_width(make_house, size):
    assert make_house(ABLE).http.post("/containers/up/resize", query_string=size).status_code == 400


UPDATES = [row for row in OPTIONS if row.operation == "container.update"]
NEW = {row.leaf: row.samples[0] for row in CREATE if row.samples} | {"MemorySwap": 192 << 20, "Memory": 96 << 20}


def test_update_changes_every_limit_it_says(make_house):
    house = make_house(ABLE)
    assert create(house, {"Image": "busybox", "HostConfig": {"Memory": 64 << 20}}).status_code == 201
    for row in UPDATES:
        if row.fate is not Fate.HONOURED:
            continue
        made = create(house, {"Image": "busybox", "HostConfig": {"Memory": 64 << 20}}).json["Id"]
        beside = {"Memory": 96 << 20} if row.name == "MemorySwap" else {}
        answer = house.http.post(f"/containers/{made}/update", json={row.name: NEW[row.name], **beside})
        assert (row.name, answer.status_code) == (row.name, 200), answer.text
        host = house.http.get(f"/containers/{made}/json").json["HostConfig"]
        assert (row.name, host[row.name]) == (row.name, NEW[row.name])


def test_what_update_cannot_change_it_says(make_house):
    house = make_house(ABLE)
    wrong = []
    for row in UPDATES:
        for case in row.cases:
            path = f"/v{case.version or CEILING}/containers/down/update"
            answer = house.http.post(path, json={row.name: case.value})
            if answer.status_code != 200 or case.says not in answer.json["Warnings"]:
                wrong.append((row.name, case.value, answer.text))
    assert not wrong


PRIVILEGED = {
    "Privileged": True,
    "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "rw"}],
    "DeviceCgroupRules": ["c 1:3 rwm"],
    "CapAdd": ["SYS_ADMIN"],
    "SecurityOpt": ["seccomp=unconfined"],
    "MaskedPaths": [],
}


@pytest.mark.parametrize("name", PRIVILEGED)
@pytest.mark.parametrize(("offers", "trusted"), [(True, ("jill",)), (True, ("*",)), (True, ()), (False, ("jill",))])
def test_only_trusted_accounts_reach_out_and_only_on_nodes_that_let_them(make_house, name, offers, trusted):
    house = make_house(ABLE if offers else ABLE - {"privileged"}, trusted=trusted)
    answer = create(house, body_of(f"HostConfig.{name}", PRIVILEGED[name]))
    linux = {}
    if answer.status_code == 201:
        made = house.node.did("machine_create")[-1]
        linux = decode(made["internal_metadata"].get("docker:linux", "{}").encode())
    assert (name in linux) is bool(offers and trusted)
    if offers and trusted:
        assert answer.json["Warnings"] == []
        assert inspect(house, answer)["HostConfig"][name] == PRIVILEGED[name]
