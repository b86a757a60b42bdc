"""Events: one stream of everything that happens to what an account has."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply, StreamReply
from translators.events import stream
from translators.events.message import SEQUENCE, media_type

events = Resource("events")

RECORD_SEPARATOR = b"\x1e"


@events.handles("event.list")
def event_list(call: Call) -> Reply:
    """Stream events; the head goes out at once, before anything has happened."""
    form = media_type(call.headers.get("accept", ""), call.version)
    start = RECORD_SEPARATOR if form == SEQUENCE else b""
    return StreamReply(items=stream.listen(call), content_type=form, start=start)
