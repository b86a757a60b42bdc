"""A node fetches an image once, whoever asks for it and however often."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, top_layer

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


def test_an_image_and_its_origin_are_fetched_once(node, center):
    image, origin = str(uuid.uuid4()), str(uuid.uuid4())
    center.files |= {image: top_layer(), origin: top_layer()}
    center.images[origin] = {"uuid": origin, "files": [{"compression": "none"}]}
    center.images[image] = {**center.images[origin], "uuid": image, "origin": origin}

    def ensure(_):
        node.task("image_ensure_present", image_uuid=image)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ensure, range(12)))
    assert [center.downloads.count(one) for one in (image, origin)] == [1, 1]
    node.crash()
    node.start()
    ensure(None)
    assert [center.downloads.count(one) for one in (image, origin)] == [1, 1]


def test_an_image_that_is_not_there_is_asked_for_again(node, center):
    absent = str(uuid.uuid4())
    with pytest.raises(TaskFailed, match="ImageNotFound"):
        node.task("image_ensure_present", image_uuid=absent)
    center.files[absent] = top_layer()
    center.images[absent] = {"uuid": absent, "files": [{"compression": "none"}]}
    node.task("image_ensure_present", image_uuid=absent)
    assert center.downloads.count(absent) == 1
