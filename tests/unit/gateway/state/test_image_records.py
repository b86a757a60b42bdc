from __future__ import annotations

import pytest

from gateway.state.database import Database
from gateway.state.image_records import ImageRecord, ImageRecords

ALICE, BOB = "alice-uuid", "bob-uuid"


def record(owner=ALICE, digits="ab", **changes):
    fields = {
        "owner_uuid": owner,
        "config_digest": f"sha256:{digits:0<64}",
        "image_uuid": "u1",
        "manifest_digest": "sha256:m",
        "manifest_str": '{"layers":[{"digest":"sha256:l","size":3}]}',
        "size": 3,
        "created": 1.0,
        "config": {"config": {"Cmd": ["sh"]}},
    }
    return ImageRecord(**{**fields, **changes})


@pytest.fixture
def images(tmp_path):
    return ImageRecords(Database(tmp_path / "db"))


def test_an_image_is_found_by_all_its_names(images):
    images.put(record())
    images.tag(ALICE, "busybox", "latest", record().config_digest)
    images.add_digest(ALICE, "busybox", "sha256:m", record().config_digest)
    found = images.by_tag(ALICE, "busybox", "latest")
    assert found == images.by_digest(ALICE, "busybox", "sha256:m")
    assert found.config == {"config": {"Cmd": ["sh"]}}
    assert (found.tags, found.digests) == (("busybox:latest",), ("busybox@sha256:m",))
    assert found.layers == [{"digest": "sha256:l", "size": 3}]
    assert images.by_id_prefix(ALICE, "ab0") == [found]
    assert images.all(ALICE) == [found]


def test_accounts_do_not_see_each_other_s(images):
    images.put(record())
    images.tag(ALICE, "busybox", "latest", record().config_digest)
    assert images.by_tag(BOB, "busybox", "latest") is None
    assert images.by_id_prefix(BOB, "ab") == []
    assert images.all(BOB) == []
    assert images.count(BOB) == 0


def test_a_name_belongs_to_one_image(images):
    images.put(record())
    images.put(record(digits="cd"))
    images.tag(ALICE, "x", "1", record().config_digest)
    images.tag(ALICE, "x", "1", record(digits="cd").config_digest)
    assert images.get(ALICE, record().config_digest).tags == ()
    assert images.by_tag(ALICE, "x", "1").config_digest == record(digits="cd").config_digest


def test_deleting_takes_the_names_along(images):
    images.put(record())
    images.tag(ALICE, "x", "1", record().config_digest)
    images.delete(ALICE, record().config_digest)
    assert images.by_tag(ALICE, "x", "1") is None
    assert images.count(ALICE) == 0


def test_a_layer_is_in_use_while_any_account_s_image_ends_in_it(images):
    images.put(record(owner=BOB))
    assert images.uses_layer("u1")
    images.delete(BOB, record().config_digest)
    assert not images.uses_layer("u1")


def test_images_know_what_was_made_from_them(images):
    images.put(record())
    images.put(record(digits="cd", parent=record().config_digest, created=2.0))
    images.put(record(digits="ef", parent=record().config_digest, created=3.0))
    images.put(record(owner=BOB, digits="cd", parent=record().config_digest))
    children = images.children(ALICE, record().config_digest)
    assert [child.config_digest[7:9] for child in children] == ["ef", "cd"]
    assert images.parents(ALICE) == images.parents(BOB) == {record().config_digest}
    assert images.get(ALICE, record().config_digest).parent == ""


def test_the_records_of_an_older_gateway_are_brought_up_to_date(tmp_path):
    database = Database(tmp_path / "db")
    database.execute(
        "CREATE TABLE images (owner_uuid TEXT, config_digest TEXT, image_uuid TEXT NOT NULL, manifest_digest TEXT NOT NULL,"
        " manifest_str TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL, image TEXT NOT NULL,"
        " PRIMARY KEY (owner_uuid, config_digest))"
    )
    database.execute("INSERT INTO images VALUES (?, 'sha256:old', 'u', 'm', '{}', 1, 1.0, '{}')", (ALICE,))
    for _ in range(2):
        images = ImageRecords(database)
    assert images.get(ALICE, "sha256:old").parent == ""
    images.put(record(parent="sha256:old"))
    assert images.parents(ALICE) == {"sha256:old"}


def test_another_worker_sees_the_rows(tmp_path):
    one, other = (ImageRecords(Database(tmp_path / "db")) for _ in range(2))
    one.put(record())
    assert other.count(ALICE) == 1
