"""``GET /volumes``: strict parameters, and VMAPI's predicates over the fields of volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from datacenter.services.volapi import validation
from datacenter.services.volapi.validation import Causes
from grammars import predicates
from grammars.predicates import Compare, Every, Predicate, PredicateError

Doc = dict[str, Any]

PARAMS = (
    "billing_id", "create_timestamp", "name", "owner_uuid", "predicate", "refs", "size", "state", "type", "vm_uuid",
)  # fmt: skip
_UUIDS = ("billing_id", "owner_uuid", "refs", "vm_uuid")
_PREDICATE_FIELDS: dict[str, Callable[[Any], list[str]]] = {
    "dangling": validation.dangling,
    "name": validation.volume_name,
    "network": validation.network,
    "size": validation.size,
    "state": validation.state,
    "type": validation.volume_type,
    "uuid": lambda value: validation.uuid(value, "uuid"),
}


def select(volumes: Iterable[Doc], asked: Doc) -> list[Doc]:
    """The volumes that a list request asks for. Raises ValidationError."""
    causes = Causes()
    causes.expect(asked, known=PARAMS)
    predicate = _predicate(asked, causes)
    if "name" in asked:
        causes.add(*validation.searched_name(str(asked["name"])))
    if "size" in asked:
        causes.add(*validation.searched_size(str(asked["size"])))
    if "state" in asked:
        causes.add(*validation.state(asked["state"]))
    causes.uuids(asked, *_UUIDS)
    causes.check()
    wanted = {field: str(value) for field, value in asked.items() if field != "predicate"}
    return [
        volume
        for volume in volumes
        if all(_has(volume, field, value) for field, value in wanted.items())
        and (predicate is None or _matches(predicate, volume))
    ]


def _predicate(asked: Doc, causes: Causes) -> Predicate | None:
    if not asked.get("predicate"):
        return None
    try:
        predicate = predicates.parse(str(asked["predicate"]))
    except PredicateError as error:
        causes.add(str(error))
        return None
    for field in sorted(predicates.fields(predicate)):
        if field in asked:
            causes.add(f'predicate has "{field}" which conflicts with query parameter with same name')
    wrong = [text for part in _comparisons(predicate) for text in _value_problems(part)]
    if wrong:
        causes.add("Invalid values in predicate: " + ",".join(f"Error: {text}" for text in wrong))
    return predicate


def _comparisons(predicate: Predicate) -> Iterator[Compare]:
    if isinstance(predicate, Compare):
        yield predicate
        return
    for part in predicate.parts:
        yield from _comparisons(part)


def _value_problems(part: Compare) -> list[str]:
    check = _PREDICATE_FIELDS.get(part.field)
    return [f'unknown field "{part.field}"'] if check is None else check(part.constant)


def _matches(predicate: Predicate, volume: Doc) -> bool:
    """A volume has several networks: it is on one if any of them is it."""
    if not isinstance(predicate, Compare):
        combine = all if isinstance(predicate, Every) else any
        return combine(_matches(part, volume) for part in predicate.parts)
    if predicate.field == "network":
        return (predicate.constant in volume["networks"]) is (predicate.op == "eq")
    return predicate.matches({**volume, "dangling": not volume.get("refs")})


def _has(volume: Doc, field: str, value: str) -> bool:
    if field == "refs":
        return value in volume.get("refs", ())
    if field != "name":
        return str(volume.get(field)) == value
    name, core = volume["name"], value.strip("*")
    if value.startswith("*") and value.endswith("*"):
        return core in name
    if value.startswith("*"):
        return bool(name.endswith(core))
    return bool(name.startswith(core)) if value.endswith("*") else name == value
