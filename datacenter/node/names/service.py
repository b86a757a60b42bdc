"""The names of a whole node: a resolver for each running zone that has names, and what they answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial

import gevent

from datacenter.node import nft, sharing
from datacenter.node.home import Home
from datacenter.node.names import resolvconf, upstream
from datacenter.node.names.answers import Query
from datacenter.node.names.book import NameBook
from datacenter.node.names.feed import Feed
from datacenter.node.names.resolver import RULES, Resolver
from datacenter.node.zone import Zone

FIRST_LOOK = 2.0
"""Seconds a query waits for the first look at other nodes' VMs."""

logger = logging.getLogger(__name__)


class Names:
    """Zones that have names on networks find each other; those without are left alone."""

    def __init__(self, home: Home, zones: Mapping[str, Zone]) -> None:
        self._home = home
        self._book = NameBook(zones)
        self._feed = Feed(home.settings.url("vmapi"), home.server_uuid(), self._book)
        self._resolvers: dict[str, Resolver] = {}

    def serve(self, zone: Zone) -> None:
        """Give a zone whose namespace is there a resolver, if it has names and lacks one. Raises OSError."""
        if self._book.places(zone) and zone.uuid not in self._resolvers:
            self._lead(zone)
            self._listen(zone)

    def stop(self, uuid: str) -> None:
        """Take a zone's resolver away, if it has one."""
        resolver = self._resolvers.pop(uuid, None)
        if resolver is not None:
            resolver.close()

    def follow(self, zone: Zone, resolv_conf: str) -> None:
        """Follow a change of a running zone's networks. ``resolv_conf`` is the text before it. Raises OSError.

        One that is in another's network has nothing of its own to follow.
        """
        if zone.linux.get(sharing.OPTION):
            return
        self.serve(zone)
        resolvconf.change(zone, resolv_conf)

    def adopt(self, zones: Iterable[Zone]) -> None:
        """Take up running zones of an agent that has gone: their namespaces are as it left them.

        A zone that cannot be answered goes on without names; that is on the node's log.
        """
        mine = [zone for zone in zones if self._book.places(zone)]
        for zone in mine:
            try:
                self._listen(zone)
            except OSError:
                logger.exception("no names for %s", zone.uuid)
        gevent.spawn(self._lead_all, mine)

    def _lead_all(self, zones: Iterable[Zone]) -> None:
        """Renew rules: the last agent may have been killed just before it made them."""
        for zone in zones:
            with zone.lock:
                try:
                    if zone.running:
                        self._lead(zone)
                except OSError:
                    logger.exception("no names for %s", zone.uuid)

    def _lead(self, zone: Zone) -> None:
        nft.run(RULES, self._home.netns / zone.uuid)

    def _listen(self, zone: Zone) -> None:
        self._feed.begin()
        self._resolvers[zone.uuid] = Resolver(self._home.netns / zone.uuid, partial(self._answer, zone))

    def _answer(self, zone: Zone, data: bytes, tcp: bool) -> bytes:
        """The answer to a query; none to what is no query."""
        try:
            query = Query(data, tcp=tcp)
        except ValueError:
            return b""
        self._feed.ready.wait(FIRST_LOOK)
        own = query.answer(partial(self._book.addresses, zone), partial(self._book.name_of, zone))
        return own or upstream.ask(query, resolvconf.servers(zone), self._home.netns / zone.uuid)
