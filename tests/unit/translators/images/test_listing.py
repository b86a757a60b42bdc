from __future__ import annotations

import io
import json

import pytest

from gateway.errors import InvalidParameter
from gateway.versions import ApiVersion
from tests.unit.translators.images.conftest import archive
from translators.images import listing, load, view
from translators.images.lookup import find_image


@pytest.fixture
def stocked(world):
    images = [(["app:1", "app:2"], [b"a"]), (["127.0.0.1:5000/team/web:1"], [b"b"]), ([], [b"c"])]
    list(load.load(world.call(), io.BytesIO(archive(*images)), quiet=True))
    return world


def names(world, **filters):
    call = world.call(filters=json.dumps(filters)) if filters else world.call()
    return sorted(tag for item in listing.list_images(call) for tag in item["RepoTags"] or ["<none>"])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["127.0.0.1:5000/team/web:1", "<none>", "app:1", "app:2"]),
        ({"dangling": ["true"]}, ["<none>"]),
        ({"dangling": {"false": True}}, ["127.0.0.1:5000/team/web:1", "app:1", "app:2"]),
        ({"reference": ["app"]}, ["app:1", "app:2"]),
        ({"reference": ["app:2"]}, ["app:2"]),
        ({"reference": ["a*:1"]}, ["app:1"]),
        ({"reference": ["127.0.0.1:5000/team/*"]}, ["127.0.0.1:5000/team/web:1"]),
        ({"reference": ["*"]}, ["app:1", "app:2"]),
        ({"label": ["tags"]}, ["127.0.0.1:5000/team/web:1", "<none>", "app:1", "app:2"]),
        ({"label": ["tags=app:1,app:2"]}, ["app:1", "app:2"]),
        ({"before": ["app:1"]}, []),
        ({"until": ["1h"]}, ["127.0.0.1:5000/team/web:1", "<none>", "app:1", "app:2"]),
    ],
)
def test_filters(stocked, filters, expected):
    assert names(stocked, **filters) == expected


@pytest.mark.parametrize("filters", [{"nonsense": ["x"]}, {"dangling": ["maybe"]}, {"until": ["soon"]}])
def test_unknown_filters_are_refused(stocked, filters):
    with pytest.raises(InvalidParameter):
        names(stocked, **filters)


def test_accounts_see_their_own(stocked):
    assert listing.list_images(stocked.call("bob")) == []


@pytest.mark.parametrize(
    ("version", "virtual", "container"), [("1.24", True, True), ("1.44", False, True), ("1.51", False, False)]
)
def test_fields_follow_the_version(stocked, version, virtual, container):
    record = find_image(stocked.call(), "app:1")
    assert ("VirtualSize" in view.summary(record, ApiVersion.parse(version))) is virtual
    inspected = view.inspect(record, ApiVersion.parse(version))
    assert ("VirtualSize" in inspected) is virtual
    assert ("ContainerConfig" in inspected) is container


def test_history_gives_each_layer_to_its_step(stocked):
    rows = view.history(find_image(stocked.call(), "app:1"))
    assert [(row["CreatedBy"], row["Size"]) for row in rows] == [("", 0), ("layer 0", 1)]
    assert rows[0]["Tags"] == ["app:1", "app:2"]
