"""Links: found from both sides, following names, cut until they are learnt of, and apart by account."""

from __future__ import annotations

import pytest

from gateway.state.database import Database
from gateway.state.links import Link, Links


def link(container="c", target="t", alias="db", owner="jill"):
    return Link(
        owner_uuid=owner,
        container_uuid=container,
        container_name=container.upper(),
        target_uuid=target,
        target_name=target.upper(),
        alias=alias,
    )


@pytest.fixture
def file(tmp_path):
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def links(file):
    links = Links(Database(file))
    links.add([link(), link(alias="a"), link("d", "c", "front"), link(owner="jack")])
    return links


def names(found):
    return [(each.container_name, each.target_name, each.alias, each.cut) for each in found]


def test_what_was_added_is_there_for_another_worker(links, file):
    again = Links(Database(file))
    assert names(again.of_container("jill", "c")) == [("C", "T", "db", False), ("C", "T", "a", False)]
    assert again.of_container("joe", "c") == []


def test_a_new_name_shows_on_both_sides(links):
    links.rename("jill", "c", "new")
    assert names(links.of_account("jill")) == [
        ("new", "T", "db", False),
        ("new", "T", "a", False),
        ("D", "new", "front", False),
    ]
    assert names(links.of_account("jack")) == [("C", "T", "db", False)]


def test_a_cut_link_waits_until_it_is_learnt_of(links):
    assert links.cut("jill", "c", "db") is True
    assert links.cut("jill", "c", "db") is False
    assert links.cut("jill", "c", "nope") is False
    assert [each.alias for each in links.of_account("jill")] == ["a", "front"]
    assert names(links.of_container("jill", "c")) == [("C", "T", "db", True), ("C", "T", "a", False)]
    links.drop_cut("jill", "c")
    assert [each.alias for each in links.of_container("jill", "c")] == ["a"]


def test_removing_either_side(links):
    links.remove_container("jill", "c")
    assert links.of_container("jill", "c") == []
    assert names(links.of_container("jill", "d")) == [("D", "C", "front", True)]
    assert names(links.of_account("jack")) == [("C", "T", "db", False)]


def test_links_are_added_all_or_none(links):
    with pytest.raises(AttributeError):
        links.add([link("e"), None])
    assert links.of_container("jill", "e") == []
