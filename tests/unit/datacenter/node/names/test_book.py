"""Who is called what on which network, and who may know."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from datacenter.node.names.book import NameBook
from datacenter.node.names.facts import KEY, places

FRONT, BACK = "f0000000-0000-4000-8000-000000000000", "b0000000-0000-4000-8000-000000000000"


def vm(name, *, owner="alice", front=None, back=None, state="running", aliases=(), links=(), **fields):
    """A VM on one or two networks; ``front`` is the primary one."""
    nics = [{"network_uuid": BACK, "ip": back}] if back else []
    nics += [{"network_uuid": FRONT, "ip": front, "primary": True}] if front else []
    told = {"aliases": list(aliases), "links": list(links)}
    metadata = {"docker:id": name.encode().hex().ljust(64, "0")}
    metadata |= {KEY + FRONT: json.dumps(told | {"network": "front"}), KEY + BACK: json.dumps({"network": "back"})}
    found = {"uuid": name, "alias": name, "hostname": f"host-{name}", "owner_uuid": owner, "state": state}
    return found | {"nics": nics, "internal_metadata": metadata} | fields


class Zone:
    """As much of a zone as a book looks at."""

    def __init__(self, record):
        self.uuid = record["uuid"]
        self.record = record
        self.life = SimpleNamespace(state=record["state"])


@pytest.fixture
def book_of():
    def make(*records, elsewhere=()):
        zones = {record["uuid"]: Zone(record) for record in records}
        book = NameBook(zones)
        for record in elsewhere:
            book.put(record)
        return book, zones

    return make


def test_names_are_the_containers_own_its_aliases_its_id_and_its_hostname():
    (place,) = places(vm("Web", front="10.0.0.5", aliases=["www", "WEB"]))
    assert place.names == ("web", "www", "576562000000", "host-web")
    assert (place.network_uuid, place.network, place.ip) == (FRONT, "front", "10.0.0.5")


def test_the_primary_networks_place_comes_first_and_a_network_without_a_nic_is_none():
    assert [place.network for place in places(vm("web", front="10.0.0.5", back="10.1.0.5"))] == ["front", "back"]
    assert [place.network for place in places(vm("web", back="10.1.0.5"))] == ["back"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"aliases": 1}', 7, None])
def test_metadata_that_somebody_else_wrote_counts_for_nothing(text):
    record = vm("web", front="10.0.0.5")
    record["internal_metadata"][KEY + FRONT] = text
    assert places(record) == ()


def test_a_network_without_such_metadata_has_no_names(book_of):
    peer = vm("web", front="10.0.0.5")
    del peer["internal_metadata"][KEY + FRONT]
    book, zones = book_of(vm("me", front="10.0.0.4"), peer)
    assert book.addresses(zones["me"], "web") == []


def test_one_alias_of_several_containers_is_all_their_addresses(book_of):
    one, two = vm("web-1", front="10.0.0.5", aliases=["web"]), vm("web-2", front="10.0.0.6", aliases=["web"])
    book, zones = book_of(vm("me", front="10.0.0.4"), one, elsewhere=[two])
    assert sorted(book.addresses(zones["me"], "WEB.")) == ["10.0.0.5", "10.0.0.6"]


def test_names_are_those_of_a_shared_network_only(book_of):
    far, both = vm("far", back="10.1.0.6"), vm("both", front="10.0.0.7", back="10.1.0.7")
    book, zones = book_of(vm("me", front="10.0.0.4"), far, both)
    assert book.addresses(zones["me"], "far") == []
    assert book.addresses(zones["me"], "both") == ["10.0.0.7"]
    assert book.addresses(zones["far"], "both") == ["10.1.0.7"]
    assert book.addresses(zones["both"], "far") == ["10.1.0.6"]


def test_a_name_may_say_its_network(book_of):
    book, zones = book_of(vm("me", front="10.0.0.4", back="10.1.0.4"), vm("web", front="10.0.0.5", back="10.1.0.5"))
    assert book.addresses(zones["me"], "web") == ["10.0.0.5"]
    assert book.addresses(zones["me"], "web.back") == ["10.1.0.5"]
    assert book.addresses(zones["me"], "web.side") == []


def test_an_alias_may_look_like_a_name_with_its_network(book_of):
    book, zones = book_of(vm("me", front="10.0.0.4"), vm("db", front="10.0.0.5", aliases=["db.front", "db.internal"]))
    assert book.addresses(zones["me"], "db.front") == ["10.0.0.5"]
    assert book.addresses(zones["me"], "db.internal.front") == ["10.0.0.5"]


def test_a_link_is_a_name_for_one_container_alone(book_of):
    book, zones = book_of(
        vm("me", front="10.0.0.4", links=["Web:db", "gone:old"]),
        vm("web", front="10.0.0.5"),
        vm("other", front="10.0.0.6"),
    )
    assert book.addresses(zones["me"], "db") == ["10.0.0.5"]
    assert book.addresses(zones["me"], "old") == []
    assert book.addresses(zones["other"], "db") == []


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_other_accounts_names_are_nobodys_business(book_of, place):
    theirs = vm("web", owner="bob", front="10.0.0.5")
    book, zones = book_of(vm("me", front="10.0.0.4"), *([theirs] if place == "here" else []), elsewhere=[theirs])
    assert book.addresses(zones["me"], "web") == []
    assert book.name_of(zones["me"], "10.0.0.5") == ""


def test_what_does_not_run_has_no_names(book_of):
    stopped = vm("web", front="10.0.0.5", state="stopped")
    book, zones = book_of(vm("me", front="10.0.0.4"), stopped, elsewhere=[vm("far", front="10.0.0.6")])
    assert book.addresses(zones["me"], "web") == []
    assert book.addresses(zones["me"], "far") == ["10.0.0.6"]
    book.put(vm("far", front="10.0.0.6", state="stopped"))
    assert book.addresses(zones["me"], "far") == []


def test_names_follow_every_change_of_a_record(book_of):
    book, zones = book_of(vm("me", front="10.0.0.4"), vm("web", front="10.0.0.5"))
    assert book.addresses(zones["me"], "web") == ["10.0.0.5"]
    zones["web"].record = {**zones["web"].record, "alias": "www"}
    assert book.addresses(zones["me"], "web") == []
    assert book.addresses(zones["me"], "www") == ["10.0.0.5"]


def test_a_vm_that_comes_to_this_node_is_dropped_from_the_others(book_of):
    book, zones = book_of(vm("me", front="10.0.0.4"), elsewhere=[vm("web", front="10.0.0.5", back="10.1.0.5")])
    book.drop("web")
    assert book.addresses(zones["me"], "web") == []


def test_an_address_has_a_name_with_its_network(book_of):
    book, zones = book_of(vm("me", front="10.0.0.4"), vm("web", front="10.0.0.5"), vm("far", back="10.1.0.6"))
    assert book.name_of(zones["me"], "10.0.0.5") == "web.front"
    assert book.name_of(zones["me"], "10.1.0.6") == ""
