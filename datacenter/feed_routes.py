"""A service's plain routes about its change feed; the feed itself is reached by a WebSocket upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from datacenter.restify import reply, route_table

if TYPE_CHECKING:
    from datacenter.changefeed import Changefeed


class FeedRoutes:
    """The routes of this module, each a method."""

    def __init__(self, feed: Changefeed) -> None:
        self._feed = feed

    def blueprint(self) -> Blueprint:
        return route_table(
            "changefeeds",
            {
                "GET /changefeeds": self.list_feeds,
                "GET /changefeeds/stats": self.stats,
            },
        )

    def list_feeds(self) -> Response:
        """What can be listened to."""
        return reply({name: resource.described() for name, resource in self._feed.resources.items()})

    def stats(self) -> Response:
        """Who listens."""
        known = [{"instance": one.instance, "service": one.service} for one in self._feed.listeners()]
        return reply({"listeners": len(known), "registrations": known})
