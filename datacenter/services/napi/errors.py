"""NAPI's errors. Every problem of a request is told at once, sorted by field."""

from __future__ import annotations

from typing import Any

from datacenter.restify import RestError

Problem = dict[str, Any]


def invalid(field: str, message: str) -> Problem:
    return {"field": field, "code": "InvalidParameter", "message": message}


def missing(field: str) -> Problem:
    return {"field": field, "code": "MissingParameter", "message": "Missing parameter"}


def duplicate(field: str) -> Problem:
    return {"field": field, "code": "Duplicate", "message": "Already exists"}


def used_by(kind: str, name: str) -> Problem:
    return {"type": kind, "id": name, "code": "UsedBy", "message": f'In use by {kind} "{name}"'}


def overlap(network_uuid: str) -> Problem:
    return {
        "type": "network",
        "id": network_uuid,
        "code": "UsedBy",
        "message": "subnet overlaps with another network",
        "field": "subnet",
    }


class InvalidParameters(RestError):
    """One or more parameters are wrong: 422."""

    def __init__(self, *problems: Problem) -> None:
        ordered = sorted(problems, key=lambda problem: str(problem["field"]))
        wrong = any(problem.get("code") != "MissingParameter" for problem in ordered)
        super().__init__(422, "InvalidParameters", "Invalid parameters" if wrong else "Missing parameters", ordered)


class InUse(RestError):
    """Something stands on what was to be deleted: 422."""

    def __init__(self, message: str, problems: list[Problem]) -> None:
        super().__init__(422, "InUse", message, problems)


class SubnetFull(RestError):
    """No address is left in a network: 507."""

    def __init__(self, network_uuid: str) -> None:
        super().__init__(507, "SubnetFull", "no more free IPs")
        self.network_uuid = network_uuid

    def body(self) -> dict[str, Any]:
        return {**super().body(), "network_uuid": self.network_uuid}


class PoolFull(InvalidParameters):
    """No address is left in any network of a pool: 422, not 507 as for a single network."""

    def __init__(self) -> None:
        super().__init__(invalid("network_uuid", "all networks in pool are full"))


def strict(params: dict[str, Any], allowed: frozenset[str]) -> None:
    """Refuse parameters that a route does not know. Raises 422 with UnknownParameters."""
    unknown = [name for name in params if name not in allowed]
    if unknown:
        text = f"Unknown parameters: {', '.join(unknown)}"
        raise InvalidParameters({"field": unknown, "code": "UnknownParameters", "message": text})


def known(params: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """The parameters that a route reads; most that make or change something pass over all others."""
    return {name: value for name, value in params.items() if name in fields}
