"""Filters, windows of time and forms of events, as tables."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter
from gateway.state.event_log import Event, Happening
from gateway.versions import ApiVersion
from translators.events.message import media_type, message
from translators.events.selection import ACCEPTED, chooser, moment, window
from translators.filters import parse_filters

ID = "c0ffee" + "0" * 58
LABELS = {"com.example.tier": "web", "empty": ""}
START = Happening(
    type="container",
    action="start",
    actor_id=ID,
    attributes={**LABELS, "image": "reg.example:5000/app:1", "name": "web"},
)
EXEC = Happening(type="container", action="exec_create: ls -l", actor_id=ID, attributes={"name": "web"})
HEALTH = Happening(type="container", action="health_status: healthy", actor_id=ID, attributes={"name": "web"})
PULL = Happening(type="image", action="pull", actor_id="busybox:latest", attributes={"name": "busybox"})
CONNECT = Happening(type="network", action="connect", actor_id="ab12", attributes={"container": ID, "name": "blue"})


@pytest.mark.parametrize(("filters", "what", "passes"), [
    ({}, START, True),
    ({"type": ["container"]}, START, True),
    ({"type": ["image"]}, START, False),
    ({"type": ["image", "container"]}, START, True),
    ({"event": ["start"]}, START, True),
    ({"event": ["star"]}, START, False),
    ({"event": ["exec_create"]}, EXEC, True),
    ({"event": ["exec_create: ls -l"]}, EXEC, True),
    ({"event": ["exec_start"]}, EXEC, False),
    ({"event": ["health_status"]}, HEALTH, True),
    ({"event": ["health_status: unhealthy"]}, HEALTH, False),
    ({"container": ["web"]}, START, True),
    ({"container": ["c0ff"]}, START, True),
    ({"container": ["db"]}, START, False),
    ({"container": ["db", "web"]}, START, True),
    ({"container": ["web"]}, CONNECT, False),
    ({"network": ["blue"]}, CONNECT, True),
    ({"volume": ["data"]}, START, False),
    ({"daemon": ["me"]}, START, False),
    ({"image": ["reg.example:5000/app:1"]}, START, True),
    ({"image": ["reg.example:5000/app"]}, START, True),
    ({"image": ["reg.example"]}, START, False),
    ({"image": ["busybox"]}, PULL, True),
    ({"image": ["busybox:latest"]}, PULL, True),
    ({"image": ["busybox:1"]}, PULL, False),
    ({"label": ["com.example.tier"]}, START, True),
    ({"label": ["com.example.tier=web"]}, START, True),
    ({"label": ["com.example.tier=db"]}, START, False),
    ({"label": ["com.example.tier=web", "empty="]}, START, True),
    ({"label": ["com.example.tier=web", "missing"]}, START, False),
    ({"label": ["x"]}, PULL, False),
    ({"scope": ["local"]}, START, True),
    ({"scope": ["swarm"]}, START, False),
    ({"type": ["container"], "event": ["die"]}, START, False),
])  # fmt: skip
def test_filters_in_both_forms(filters, what, passes):
    for form in (filters, {key: dict.fromkeys(values, True) for key, values in filters.items()}):
        assert chooser(parse_filters(json.dumps(form), ACCEPTED))(what) is passes


@pytest.mark.parametrize(
    "filters", ['{"nope": ["a"]}', '{"type": ["pod"]}', '{"scope": ["global"]}', "{", '{"type": "container"}', "[]"]
)
def test_bad_filters(filters):
    with pytest.raises(InvalidParameter, match="invalid filter"):
        chooser(parse_filters(filters, ACCEPTED))


@pytest.mark.parametrize(("text", "nanoseconds"), [
    ("", None),
    ("0", 0),
    ("1795463265", 1795463265 * 10**9),
    ("1795463265.5", 1795463265 * 10**9 + 500_000_000),
    ("1795463265.000000001", 1795463265 * 10**9 + 1),
    ("1795463265.0000000019", 1795463265 * 10**9 + 1),
    ("2026-11-23T19:47:45.25Z", 1795463265 * 10**9 + 250_000_000),
    ("2026-11-23T20:47:45+01:00", 1795463265 * 10**9),
])  # fmt: skip
def test_times(text, nanoseconds):
    assert moment(text) == nanoseconds


@pytest.mark.parametrize("text", ["yesterday", "-1", "1e3", "9" * 40, "1.", "10m"])
def test_bad_times(text):
    with pytest.raises(InvalidParameter, match="invalid time"):
        window(text, "")


def test_a_window_must_not_end_before_it_begins():
    assert window("3", "3") == (3 * 10**9, 3 * 10**9)
    with pytest.raises(InvalidParameter, match=r"`since` time \(5\) cannot be after `until` time \(3\)"):
        window("5", "3")


def test_forms_by_version():
    event = Event(place=7, moment=1795463265_000000042, what=START)
    whole = {
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": ID, "Attributes": dict(START.attributes)},
        "scope": "local",
        "time": 1795463265,
        "timeNano": 1795463265_000000042,
    }
    flat = {"status": "start", "id": ID, "from": "reg.example:5000/app:1"}
    assert message(event, ApiVersion(1, 24)) == {**flat, **whole}
    assert message(event, ApiVersion(1, 51)) == {**flat, **whole}
    assert message(event, ApiVersion(1, 52)) == whole
    image = message(Event(place=8, moment=1, what=PULL), ApiVersion(1, 51))
    assert (image["status"], image["id"], "from" in image) == ("pull", "busybox:latest", False)
    assert "status" not in message(Event(place=9, moment=1, what=CONNECT), ApiVersion(1, 24))


@pytest.mark.parametrize(("accept", "version", "form"), [
    ("", (1, 51), "application/json"),
    ("*/*", (1, 51), "application/json"),
    ("application/json", (1, 51), "application/json"),
    ("application/json-seq", (1, 51), "application/json-seq"),
    ("", (1, 52), "application/x-ndjson"),
    ("application/jsonl", (1, 52), "application/jsonl"),
    ("application/x-ndjson;q=0.5, application/json-seq", (1, 52), "application/json-seq"),
    ("application/json-seq;q=0", (1, 52), "application/x-ndjson"),
    ("application/json-seq;q=much", (1, 52), "application/x-ndjson"),
])  # fmt: skip
def test_media_types(accept, version, form):
    assert media_type(accept, ApiVersion(*version)) == form
