"""A node fetches an image once, whoever asks for it and however often."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, top_layer, until

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


class Slow(dict):
    """Layers, of which one is only given out when it may be."""

    def __init__(self, files, name):
        super().__init__(files)
        self.name, self.may_go = name, threading.Event()

    def __getitem__(self, name):
        if name == self.name:
            assert self.may_go.wait(20)
        return super().__getitem__(name)


def test_nothing_stays_of_a_zone_that_is_destroyed_while_it_is_made(node, center, monkeypatch):
    image, vm = str(uuid.uuid4()), str(uuid.uuid4())
    slow = Slow({**center.files, image: top_layer()}, image)
    monkeypatch.setattr(center, "files", slow)
    center.images[image] = {"uuid": image, "files": [{"compression": "none"}]}
    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(node.create, "true", image_uuid=image, uuid=vm)
        until(lambda: image in center.downloads)
        gone = pool.submit(node.task, "machine_destroy", uuid=vm)
        concurrent.futures.wait([gone], timeout=0.3)  # it answers at once when it does not care
        slow.may_go.set()
        assert (made.exception(), gone.result()) == (None, {})
    with pytest.raises(TaskFailed, match="VmNotFound"):
        node.task("machine_load", uuid=vm)
    assert not (node.state / "nodes" / "0" / "zones" / vm).exists()
