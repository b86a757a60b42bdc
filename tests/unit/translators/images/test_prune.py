from __future__ import annotations

import io
import json

import pytest

from gateway.errors import InvalidParameter
from tests.unit.translators.images.conftest import archive
from translators.images import load, prune
from translators.images.lookup import find_image


def loaded(world, name, *layers):
    list(load.load(world.call(), io.BytesIO(archive(([name], list(layers)))), quiet=True))
    return find_image(world.call(), name)


def pruned(world, **filters):
    return prune.prune(world.call(filters=json.dumps(filters)))


def kinds(report):
    return [next(iter(row)) for row in report["ImagesDeleted"] or []]


def test_images_with_a_tag_stay_unless_all_go(world):
    image = loaded(world, "app:1", b"base", b"top")
    assert pruned(world) == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    assert pruned(world, until=["1h"])["ImagesDeleted"] is None
    assert pruned(world, dangling=["false"], label=["no"])["ImagesDeleted"] is None
    report = pruned(world, dangling=["false"])
    assert kinds(report) == ["Untagged", "Deleted", "Deleted", "Deleted"]
    assert report["SpaceReclaimed"] == sum(layer["size"] for layer in image.layers) > 0
    assert world.imgapi.images == {}


def test_shared_layers_are_not_reclaimed(world):
    loaded(world, "app:1", b"base", b"top")
    image = loaded(world, "app:2", b"base", b"other")
    world.state.images.untag(world.call().owner.uuid, "app", "2")
    report = pruned(world)
    assert kinds(report) == ["Deleted", "Deleted"]
    assert report["SpaceReclaimed"] == image.layers[-1]["size"]
    assert find_image(world.call(), "app:1")


def test_images_in_use_stay(world):
    image = loaded(world, "app:1", b"base")
    vm = {"uuid": "u", "owner_uuid": "alice-uuid", "state": "stopped"}
    world.vmapi.vms = [vm | {"internal_metadata": {"docker:id": "c" * 64, "docker:imageid": image.config_digest}}]
    assert pruned(world, dangling=["false"]) == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    assert find_image(world.call(), "app:1")


def test_unknown_filters_are_refused(world):
    with pytest.raises(InvalidParameter):
        pruned(world, reference=["x"])
