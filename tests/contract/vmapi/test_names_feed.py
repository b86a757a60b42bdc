"""A node learns the names of other nodes' VMs from VMAPI: its list, then its change feed."""

from __future__ import annotations

import json

import gevent
import gevent.socket
import pytest

from datacenter.node.names import feed as feed_module
from datacenter.node.names.book import NameBook
from datacenter.node.names.facts import KEY
from datacenter.node.names.feed import Feed
from datacenter.node.service import Service
from datacenter.services.serving import Server

HERE = "0c0ffee0-0000-4000-8000-00000000000e"


class Noted(NameBook):
    """A book that can be read without an asker."""

    def names(self):
        return {place.names[0]: place for there in self._elsewhere.values() for _, place in there.values()}


class Yielding(Service):
    """A service in this very process, which is not patched as an agent is: others must run while one waits for it."""

    def __init__(self, url):
        super().__init__(url)
        self._connection._create_connection = gevent.socket.create_connection


@pytest.fixture
def server(world, monkeypatch):
    monkeypatch.setattr(feed_module, "Service", Yielding)
    server = Server(0, world.vmapi.app, world.vmapi.upgrade)
    server.start()
    yield server
    server.stop(timeout=0)


@pytest.fixture
def follow(server):
    """Begin to follow; return the book once VMAPI was heard."""
    feeds = []

    def begin(server_uuid=HERE):
        book = Noted({})
        feed = Feed(f"http://127.0.0.1:{server.server_port}", server_uuid, book)
        feed.begin()
        feeds.append(feed)
        assert feed.ready.wait(5)
        return book

    yield begin
    for feed in feeds:
        feed.end()


def named(world, alias, *aliases, start=True):
    """Make a VM that has names on its network."""
    vm = world.create(alias)
    key = KEY + vm["nics"][0]["network_uuid"]
    body = {key: json.dumps({"network": "net", "aliases": aliases})}
    assert world.http.post(f"/vms/{vm['uuid']}/internal_metadata?sync=true", json=body).status_code == 202
    if start:
        world.act(vm, "start")
    return vm


def until(check):
    with gevent.Timeout(5):
        while not check():
            gevent.sleep(0.01)


def test_what_runs_elsewhere_is_known_from_the_first_look(world, follow):
    web = named(world, "web", "www")
    named(world, "idle", start=False)
    world.act(world.create("nameless"), "start")
    (name, place), *more = follow().names().items()
    assert (name, more) == ("web", [])
    assert place.ip == world.vmapi.vm(web["uuid"])["nics"][0]["ip"]
    assert "www" in place.names


def test_what_runs_here_is_not_taken_from_vmapi(world, follow):
    named(world, "web")
    assert follow(world.node.uuid).names() == {}


def test_every_change_is_followed(world, follow):
    book = follow()
    web = named(world, "web", "www")
    until(lambda: "web" in book.names())
    world.act(web, "update", alias="shop")
    until(lambda: list(book.names()) == ["shop"])
    key = KEY + web["nics"][0]["network_uuid"]
    world.http.post(f"/vms/{web['uuid']}/internal_metadata?sync=true", json={key: json.dumps({"aliases": ["new"]})})
    until(lambda: "new" in book.names()["shop"].names)
    world.act(web, "stop")
    until(lambda: not book.names())
    world.act(web, "start")
    until(book.names)
    world.http.delete(f"/vms/{web['uuid']}?sync=true")
    until(lambda: not book.names())


def test_all_is_read_again_when_vmapi_was_away(world, server, follow):
    book = follow()
    web = named(world, "web")
    until(lambda: "web" in book.names())
    for listener in world.vmapi.changefeed.listeners():
        listener.dismiss()
        world.vmapi.changefeed.unsubscribe(listener)
    world.act(web, "update", alias="shop")
    until(lambda: list(book.names()) == ["shop"])


def test_without_vmapi_nobody_waits_for_it():
    feed = Feed("http://127.0.0.1:9", HERE, Noted({}))
    feed.begin()
    assert feed.ready.wait(5)
    feed.end()
