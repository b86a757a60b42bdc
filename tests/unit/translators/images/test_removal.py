from __future__ import annotations

import io

import pytest

from gateway.errors import Conflict, NotFound
from tests.unit.translators.images.conftest import archive
from translators.images import load, naming, removal
from translators.images.lookup import find_image


@pytest.fixture
def image(world):
    list(load.load(world.call(), io.BytesIO(archive((["app:1"], [b"base", b"top"]))), quiet=True))
    return find_image(world.call(), "app:1")


def container(world, image, state):
    world.vmapi.vms = [
        {
            "uuid": "11111111-2222-3333-4444-555555555555",
            "owner_uuid": "alice-uuid",
            "state": state,
            "internal_metadata": {"docker:id": "c" * 64, "docker:imageid": image.config_digest},
        }
    ]


def test_the_last_name_takes_the_image_and_its_layers_along(world, image):
    report = removal.remove(world.call(), "app:1", force=False)
    assert [next(iter(row)) for row in report] == ["Untagged", "Deleted", "Deleted", "Deleted"]
    assert world.imgapi.images == {}
    with pytest.raises(NotFound, match="No such image: app:1"):
        find_image(world.call(), "app:1")


def test_another_name_keeps_it(world, image):
    naming.tag(world.call(), "app:1", "other", "2")
    assert removal.remove(world.call(), "app:1", force=False) == [{"Untagged": "app:1"}]
    assert find_image(world.call(), "other:2").config_digest == image.config_digest


def test_by_id_several_repositories_need_force(world, image):
    naming.tag(world.call(), "app:1", "other", "2")
    short = image.config_digest[7:19]
    with pytest.raises(
        Conflict, match=rf"unable to delete {short} \(must be forced\) - image is referenced in multiple"
    ):
        removal.remove(world.call(), short, force=False)
    assert removal.remove(world.call(), short, force=True)[:2] == [{"Untagged": "app:1"}, {"Untagged": "other:2"}]


@pytest.mark.parametrize(
    ("state", "by_id", "force", "words"),
    [
        ("running", True, False, "cannot be forced"),
        ("running", True, True, "cannot be forced"),
        ("stopped", True, False, "must be forced"),
        ("stopped", True, True, None),
        ("running", False, False, "must force"),
        ("stopped", False, False, "must force"),
        ("stopped", False, True, None),
    ],
)
def test_an_image_in_use(world, image, state, by_id, force, words):
    container(world, image, state)
    name = image.config_digest if by_id else "app:1"
    if words is None:
        assert {"Deleted": image.config_digest} in removal.remove(world.call(), name, force=force)
    else:
        with pytest.raises(Conflict, match=words):
            removal.remove(world.call(), name, force=force)
        assert find_image(world.call(), "app:1")


def test_force_by_name_only_untags_what_runs(world, image):
    container(world, image, "running")
    assert removal.remove(world.call(), "app:1", force=True) == [{"Untagged": "app:1"}]
    assert world.imgapi.images
    assert find_image(world.call(), image.config_digest).tags == ()


def test_layers_another_account_s_image_ends_in_stay(world, image):
    list(load.load(world.call("bob"), io.BytesIO(archive((["mine:1"], [b"base"]))), quiet=True))
    removal.remove(world.call(), "app:1", force=False)
    assert [i["state"] for i in world.imgapi.images.values()] == ["active"]
    assert find_image(world.call("bob"), "mine:1")


def test_an_image_imgapi_lost_is_forgotten(world, image):
    world.imgapi.images.clear()
    from translators.images import lookup

    lookup.forget(image.image_uuid)
    with pytest.raises(NotFound):
        find_image(world.call(), "app:1")
    assert world.state.images.count("alice-uuid") == 0
