"""Images made from images: what is shown of them, and what goes with what. Facts: moby's image store."""

from __future__ import annotations

import pytest

from gateway.errors import Conflict
from tests.unit.translators.images.conftest import OWNER
from translators.images import listing, prune, removal, view
from translators.images.lookup import line_of


def deleted(report):
    return [row["Deleted"] for row in report if len(row.get("Deleted", "")) == 71]


def test_steps_on_the_way_are_listed_only_when_all_are_asked_for(world, line):
    assert [row["Id"][7] for row in listing.list_images(world.call())] == ["c", "a"]
    everything = listing.list_images(world.call(all="1"))
    assert [(row["Id"][7], row["ParentId"][7:8]) for row in everything] == [("c", "b"), ("b", "a"), ("a", "")]
    assert listing.list_images(world.call(filters='{"dangling":["true"]}')) == []


def test_the_history_has_the_ids_of_the_steps(world, line):
    rows = view.history(line[2], list(line_of(world.call(), line[2]))[1:])
    assert [(row["Id"][7:8], row["Tags"]) for row in rows] == [("c", ["made:1"]), ("b", None), ("a", ["base:1"])]


def test_nameless_steps_go_with_their_result_and_named_ones_stay(world, line):
    report = removal.remove(world.call(), "made:1", force=False)
    assert report[0] == {"Untagged": "made:1"}
    assert deleted(report) == [line[2].config_digest, line[1].config_digest]
    assert world.state.images.get(OWNER, line[0].config_digest) is not None


def test_noprune_leaves_them(world, line):
    assert deleted(removal.remove(world.call(noprune="1"), "made:1", force=False)) == [line[2].config_digest]
    assert world.state.images.get(OWNER, line[1].config_digest) is not None


def test_an_image_that_others_were_made_from_is_only_untagged(world, line):
    assert removal.remove(world.call(), "base:1", force=False) == [{"Untagged": "base:1"}]
    with pytest.raises(Conflict, match=r"cannot be forced\) - image has dependent child images"):
        removal.remove(world.call(), line[0].config_digest, force=True)


def test_a_prune_leaves_the_steps_of_what_stays(world, line):
    assert prune.prune(world.call(operation="image.prune"))["ImagesDeleted"] is None
    world.state.images.untag(OWNER, "made", "1")
    done = prune.prune(world.call(operation="image.prune"))["ImagesDeleted"]
    assert deleted(done) == [line[2].config_digest, line[1].config_digest]
