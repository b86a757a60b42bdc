"""VMAPI's plain routes about its change feed; the feed itself is reached by a WebSocket upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from datacenter.restify import reply
from datacenter.services.vmapi.changefeed import resources

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi


def feed_routes(vmapi: Vmapi) -> Blueprint:
    routes = Blueprint("changefeeds", __name__)

    @routes.get("/changefeeds")
    def list_feeds() -> Response:
        return reply(resources())

    @routes.get("/changefeeds/stats")
    def stats() -> Response:
        """Who listens."""
        listeners = vmapi.changefeed.listeners()
        known = [{"instance": listener.instance, "service": listener.service} for listener in listeners]
        return reply({"listeners": len(known), "registrations": known})

    return routes
