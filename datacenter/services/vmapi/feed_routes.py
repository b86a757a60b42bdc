"""VMAPI's plain routes about its change feed; the feed itself is reached by a WebSocket upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from datacenter.restify import reply, route_table
from datacenter.services.vmapi.changefeed import resources

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi


class FeedRoutes:
    """The routes of this module, each a method."""

    def __init__(self, vmapi: Vmapi) -> None:
        self._vmapi = vmapi

    def blueprint(self) -> Blueprint:
        return route_table(
            "changefeeds",
            {
                "GET /changefeeds": self.list_feeds,
                "GET /changefeeds/stats": self.stats,
            },
        )

    def list_feeds(self) -> Response:
        return reply(resources())

    def stats(self) -> Response:
        """Who listens."""
        listeners = self._vmapi.changefeed.listeners()
        known = [{"instance": listener.instance, "service": listener.service} for listener in listeners]
        return reply({"listeners": len(known), "registrations": known})
