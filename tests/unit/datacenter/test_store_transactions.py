"""What a transaction keeps and takes back, and what a ledger remembers."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import pytest

from datacenter.store import Store, StoreError


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "dc.sqlite")
    yield store
    store.close()


def test_documents_outlive_the_process(tmp_path, store):
    store.bucket("things").put("a", {"n": 1})
    store.ledger("jobs", "kind").put("j", {"kind": "x"})
    other = Store(tmp_path / "dc.sqlite")
    assert other.bucket("things").get("a") == {"n": 1}
    assert other.ledger("jobs", "kind").get("j") == {"kind": "x"}
    other.close()


def test_a_failed_transaction_takes_everything_back(tmp_path, store):
    things = store.bucket("things")
    ledger = store.ledger("jobs", "kind")
    things.put("kept", {"n": 1})
    things.put("gone", {"n": 1})
    with pytest.raises(ZeroDivisionError), store.transaction():
        things.update("kept", n=2)
        things.delete("gone")
        with store.transaction():
            things.put("new", {"n": 1})
        ledger.put("j", {"kind": "x"})
        raise ZeroDivisionError
    assert {thing: things.get(thing) for thing in ("kept", "gone", "new")} == {
        "kept": {"n": 1},
        "gone": {"n": 1},
        "new": None,
    }
    assert ledger.get("j") is None
    other = Store(tmp_path / "dc.sqlite")
    assert len(other.bucket("things")) == 2
    other.close()


@contextmanager
def no_room(size):
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 8 << 20], ids=["refused by the commit", "refused by the statement"])
def test_what_the_disk_refuses_is_not_in_memory_either(tmp_path, store, size):
    things = store.bucket("things")
    things.put("kept", {"n": 1})
    with no_room((tmp_path / "dc.sqlite-wal").stat().st_size), pytest.raises(StoreError), store.transaction():
        things.update("kept", n=2)
        things.put("new", {"text": "x" * size})
    assert (things.get("kept"), things.get("new")) == ({"n": 1}, None)
    with store.transaction():
        things.update("kept", n=3)
    other = Store(tmp_path / "dc.sqlite")
    assert other.bucket("things").all() == things.all() == [{"n": 3}]
    other.close()


def test_a_store_that_keeps_room_can_be_written_to_on_a_full_disk(tmp_path, store):
    things = store.bucket("things")
    things.put("a", {"n": 0})
    store.keep_room()
    with no_room(min((tmp_path / name).stat().st_size for name in ("dc.sqlite", "dc.sqlite-wal"))):
        for number in range(600):  # three times what the log holds
            things.put("a", {"n": number, "text": "x" * 20_000})
        for number in range(100):
            things.put(f"more-{number}", {"text": "x" * 20_000})
        with pytest.raises(StoreError):
            things.put("too much", {"text": "x" * (8 << 20)})
    other = Store(tmp_path / "dc.sqlite")
    assert (len(other.bucket("things")), other.bucket("things").get("a")["n"]) == (101, 599)
    other.close()


def test_watchers_follow_forth_and_back(store):
    things, seen = store.bucket("things"), []
    things.put("a", {"n": 1})
    things.watch(lambda *change: seen.append(change))
    assert seen == [("a", None, {"n": 1})]
    with pytest.raises(ZeroDivisionError), store.transaction():
        things.update("a", n=2)
        raise ZeroDivisionError
    assert seen[1:] == [("a", {"n": 1}, {"n": 2}), ("a", {"n": 2}, {"n": 1})]


@pytest.mark.parametrize("name", ["a b", "a;drop table x", ""])
def test_names_are_plain(store, name):
    with pytest.raises(ValueError, match="identifier"):
        store.bucket(name)
    with pytest.raises(ValueError, match="identifier"):
        store.ledger("jobs", name)


def test_ledger(store):
    ledger = store.ledger("jobs", "kind", "state")
    for number in range(5):
        ledger.put(str(number), {"n": number, "kind": "odd" if number % 2 else "even", "state": "new"})
    ledger.put("1", {"n": 1, "kind": "odd", "state": "old"})
    assert [doc["n"] for doc in ledger.select({})] == [4, 3, 2, 1, 0]
    assert [doc["n"] for doc in ledger.select({"kind": "odd"})] == [3, 1]
    assert [doc["n"] for doc in ledger.select({"kind": "even"}, limit=1, offset=1)] == [2]
    assert ledger.count({"state": "new"}) == 4
    assert ledger.get("9") is None
    ledger.trim(1, "kind", ("odd", "none"))
    assert [doc["n"] for doc in ledger.select({})] == [4, 3, 2, 0]
    with pytest.raises(KeyError):
        ledger.select({"n": "1"})
