"""An event as Docker writes it, and the forms in which a stream of them goes out. Pure."""

from __future__ import annotations

from typing import Any

from gateway.state.event_log import Event
from gateway.versions import ApiVersion

_NANO = 1_000_000_000
SEQUENCE = "application/json-seq"
"""RFC 7464: each text after a record separator."""
_FORMS = frozenset({"application/jsonl", "application/x-ndjson", SEQUENCE})


def message(event: Event, version: ApiVersion) -> dict[str, Any]:
    """Shape an event; until API 1.52 containers and images have the flat fields of before 1.22, too."""
    what = event.what
    shaped: dict[str, Any] = {
        "Type": what.type,
        "Action": what.action,
        "Actor": {"ID": what.actor_id, "Attributes": dict(what.attributes)},
        "scope": "local",
        "time": event.moment // _NANO,
        "timeNano": event.moment,
    }
    if version >= (1, 52) or what.type not in {"container", "image"}:
        return shaped
    flat = {"status": what.action, "id": what.actor_id}
    if what.type == "container" and "image" in what.attributes:
        flat["from"] = what.attributes["image"]
    return {**flat, **shaped}


def media_type(accept: str, version: ApiVersion) -> str:
    """Choose the form of the stream: the one a client likes best, or lines of JSON by the name it knows for them."""
    liked = []
    for place, part in enumerate(accept.split(",")):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        quality = _quality(next((text[2:] for text in parameters if text.startswith("q=")), "1"))
        if name in _FORMS and quality > 0:
            liked.append((-quality, place, name))
    if liked:
        return min(liked)[2]
    return "application/x-ndjson" if version >= (1, 52) else "application/json"


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
