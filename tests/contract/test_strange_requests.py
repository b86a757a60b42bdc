"""No request whatsoever makes the gateway fail, and none that is refused leaves anything in the data center."""

from __future__ import annotations

import json
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.blueprints import RESOURCES
from gateway.operations import by_name
from tests.contract.house import House, house, make_house
from translators.containers.execs import ExecCreate
from translators.containers.model import ContainerCreate, HostConfig
from translators.options import OPTIONS, Place

__all__ = ["house", "make_house"]
STREAMS = {"container.wait", "container.attach", "container.logs", "exec.start", "event.list",
           "container.stats", "system.auth", "distribution.inspect", "image.search", "image.push",
           "container.attach.websocket", "volume.create"}  # fmt: skip
"""They wait, or speak to a node's socket, a registry or a storage VM: other tests have those."""
HANDLED = sorted({name for resource in RESOURCES for name in resource.handled} - STREAMS)
MODELS = {
    "container.create": ContainerCreate,
    "gateway.explain": ContainerCreate,
    "container.update": HostConfig,
    "exec.create": ExecCreate,
}


NASTY = st.sampled_from(
    ["", "0", "1", "-1", "up", "down", "busybox", "%", "\0", "../..", "a" * 5000, "1e999", "9" * 40, "true", "{}", "[",
     '{"label":{"a":true}}', '{"status":["x"]}', '{"id":["("],"name":["*"]}', "None", "a:b:c", "@sha256:", "/", "\n",
     "é\ud7ff", "SIGKILL", "-9", "NaN", "0x10", '{"before":["up"]}', '{"exited":["x"]}', '{"volume":[""]}']
)  # fmt: skip
TEXTS = NASTY | st.text(max_size=30)
NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, -(2**63), 64 << 20]) | st.integers(-(2**70), 2**70)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PARAMETERS = sorted({row.name for row in OPTIONS if row.place is Place.QUERY} | {"outputs", "version"})
KNOWN: dict[str, list[Any]] = {}
for row in OPTIONS:
    KNOWN.setdefault(row.leaf, []).extend([*row.samples, *(case.value for case in row.cases)])
"""What the table of options says of a field: values that make sense, or just not."""
FILTERS = st.dictionaries(
    st.sampled_from(
        "status name id label exited before since ancestor network volume health publish expose is-task isolation "
        "dangling reference until type event container image daemon scope driver bogus".split()
    ),
    st.lists(TEXTS | st.sampled_from(["running", "exited", "80/tcp", "a=b", "2020-01-01", "1h", "true"]), max_size=3)
    | st.dictionaries(TEXTS, st.booleans() | TEXTS, max_size=2)
    | JSON,
    max_size=3,
).map(json.dumps)


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """JSON that mostly fits a model, so that it gets past the decoder."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(argument) for argument in arguments])
    if origin is list:
        return st.lists(of_type(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(TEXTS | st.sampled_from(["80/tcp", "external", "/v"]), of_type(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return model_of(hint)
    return {int: NUMBERS, str: TEXTS, bool: st.booleans(), type(None): st.none()}.get(hint, JSON)


def model_of(struct: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few fields of a model at a time: one bad field hides the others."""
    hints = typing.get_type_hints(struct)
    fields = st.lists(st.sampled_from(sorted(hints)), max_size=3, unique=True)

    def fill(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: value_of(name, hints[name]) for name in names} | fixed)

    return fields.flatmap(fill)


def value_of(name: str, hint: Any) -> st.SearchStrategy[Any]:
    known = KNOWN.get(name)
    return st.sampled_from(known) | of_type(hint) if known else of_type(hint)


def body_of(name: str) -> st.SearchStrategy[bytes]:
    known = MODELS.get(name)
    if known is None:
        return st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode())
    fixed = {"Image": st.just("busybox")} if known is ContainerCreate else {}
    return (model_of(known, **fixed) | JSON).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


def exchange(house: House, name: str, data: st.DataObject) -> None:
    """Send one drawn request; hold its answer and what it left behind against the rules."""
    operation = by_name(name)
    path = operation.path
    for parameter in ("id", "name", "alias"):
        value = st.sampled_from(["up", "down", "busybox", house.exec_id]) | TEXTS.filter(bool)
        if f"{{{parameter}}}" in path:
            path = path.replace(f"{{{parameter}}}", data.draw(value).replace("?", ""))
    version = data.draw(st.sampled_from(["", "/v1.24", "/v1.41", "/v1.51"]))
    query = data.draw(st.dictionaries(st.sampled_from(PARAMETERS), TEXTS, max_size=3))
    if data.draw(st.booleans()):
        query["filters"] = data.draw(FILTERS)
    body = data.draw(body_of(name)) if operation.method == "POST" else None
    kind = data.draw(st.sampled_from(["application/json"] * 4 + ["text/plain", "application/json; charset=utf-8", ""]))
    before = house.things()
    answer = house.http.open(version + path, method=operation.method, query_string=query, data=body, content_type=kind)
    shown = repr((operation.method, version + path, query, body, answer.status_code, answer.text[:300]))
    assert answer.status_code < 500 or answer.status_code == 501, shown
    if answer.status_code >= 400:
        assert operation.method == "HEAD" or answer.json["message"], shown
        assert house.things() == before, shown
    if name == "container.create" and answer.status_code == 201:
        made = answer.json["Id"]
        for look in (f"/containers/{made}/json", "/containers/json?all=1"):
            assert house.http.get(look).status_code == 200, shown
        assert house.http.delete(f"/containers/{made}?force=1").status_code == 204, shown
        assert house.things() == before, shown


@pytest.mark.parametrize("name", HANDLED)
def test_no_request_makes_it_fail(house, name):
    @settings(
        max_examples=15, deadline=None, derandomize=False, phases=(Phase.generate,), database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )  # fmt: skip
    @given(st.data())
    def strange(data):
        exchange(house, name, data)

    strange()
