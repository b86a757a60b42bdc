"""The indexes agree with a plain search, whatever happened to the VMs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacenter.services.vmapi import table as table_module
from datacenter.services.vmapi.table import VmTable
from datacenter.store import Store
from grammars import predicates

UUIDS = [f"{head}{tail}" for head in "ab" for tail in range(4)]
FIELDS = {
    "owner_uuid": "xy",
    "alias": "pq5",
    "state": ("running", "stopped", "failed", "destroyed"),
    "server_uuid": ("s1", "s2", None),
    "docker": (True, False, None),
    "create_timestamp": ("2026-01-01", "2026-01-02", None),
}
VMS = st.fixed_dictionaries(
    {"uuid": st.sampled_from(UUIDS), **{field: st.sampled_from(list(values)) for field, values in FIELDS.items()},
     "cpu_cap": st.sampled_from([None, 100]), "max_physical_memory": st.just(64), "quota": st.just(1)},
)  # fmt: skip
COMPARES = st.one_of(
    st.sampled_from([{"eq": ["uuid", "a*"]}, {"eq": ["uuid", "b1"]}, {"ne": ["state", "failed"]}]),
    st.sampled_from(
        [{"eq": ["docker", "true"]}, {"ne": ["uuid", "a*"]}, {"ne": ["docker", "true"]}, {"eq": ["alias", 5]}]
    ),
    *(
        st.sampled_from([{op: [field, value]} for value in values if value for op in ("eq", "ne")])
        for field, values in FIELDS.items()
    ),
)
PREDICATES = st.recursive(
    COMPARES,
    lambda inner: st.builds(
        lambda op, parts: {op: parts}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(VMS, st.sampled_from(UUIDS)), max_size=25), st.lists(PREDICATES, max_size=2))
def test_indexes(changes, wanted):
    store = Store(":memory:")
    table = VmTable(store)
    plain = {}
    for change in changes:
        if isinstance(change, str):
            table.delete(change)
            plain.pop(change, None)
        else:
            table.put(change)
            plain[change["uuid"]] = change
    built = [predicates.build(one) for one in wanted]
    expected = {uuid for uuid, vm in plain.items() if all(one.matches(vm) for one in built)}
    assert {vm["uuid"] for vm in table.matching(built)} == expected
    assert set(table.select(built)) == expected
    ages = sorted(((vm["create_timestamp"] or "", uuid) for uuid, vm in plain.items()), reverse=True)
    assert list(table.newest_first()) == [uuid for _, uuid in ages]
    assert list(table.newest_first(("2026-01-02", "a2"))) == [
        uuid for age, uuid in ages if (age, uuid) < ("2026-01-02", "a2")
    ]
    assert list(table.downwards("b1")) == sorted((uuid for uuid in plain if uuid < "b1"), reverse=True)
    assert table.starting_with("a") == sorted(uuid for uuid in plain if uuid.startswith("a"))
    for server in ("s1", "s2"):
        alive = [
            vm for vm in plain.values() if vm["server_uuid"] == server and vm["state"] not in {"failed", "destroyed"}
        ]
        promised = table.promised(server)
        assert promised.ram == 64 * len(alive)
        assert promised.disk == 1024 * len(alive)
        assert promised.cpu == sum(vm["cpu_cap"] or 0 for vm in alive)
    store.close()


@pytest.mark.parametrize("state", ["destroyed", "failed"])
def test_old_vms_that_are_gone_are_forgotten(monkeypatch, state):
    monkeypatch.setattr(table_module, "KEEP", 2)
    store = Store(":memory:")
    table = VmTable(store)
    blank = {"owner_uuid": "x", "alias": "p", "server_uuid": "s"}
    for uuid in ("a", "b", "c"):
        table.put({**blank, "uuid": uuid, "state": "running"})
    for uuid in ("b", "a", "c"):
        table.put({**blank, "uuid": uuid, "state": state})
    assert {vm["uuid"] for vm in table.all()} == {"a", "c"}
    store.close()


@pytest.mark.parametrize(
    ("state", "found"), [("running", True), ("provisioning", True), ("failed", False), ("destroyed", False)]
)
def test_names_of_the_gone_are_free(state, found):
    store = Store(":memory:")
    table = VmTable(store)
    table.put({"uuid": "a", "owner_uuid": "x", "alias": "p", "server_uuid": "s", "state": state})
    assert (table.named("x", "p") is not None) is found
    assert table.named("y", "p") is None
    store.close()
