"""What this data center makes of every operation and option: the table, read with its nodes' capabilities in hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.operations import OPERATIONS, Operation
from gateway.versions import CEILING, FLOOR
from translators.options import OPTIONS
from translators.options.row import Case, Fate, Option


def fate_here(row: Option, offered: Iterable[str] | None) -> str:
    """Say what becomes of an option; ``offered`` are capabilities that nodes advertise, None when it is not known."""
    if not row.needs or row.fate is not Fate.HONOURED:
        return row.fate.value
    if offered is None:
        return f"honoured where nodes advertise `{row.needs}`, else {row.without.value}"
    return row.fate.value if row.needs in set(offered) else row.without.value


def describe(handled: Iterable[str], offered: Iterable[str]) -> dict[str, Any]:
    """Return the whole table for a client, as JSON values.

    ``handled`` are the operations that are served; ``offered`` the capabilities that nodes advertise.
    """
    served, able = set(handled), set(offered)
    return {
        "ApiVersion": str(CEILING),
        "MinAPIVersion": str(FLOOR),
        "Capabilities": sorted(able),
        "Operations": [_operation(row, served, able) for row in OPERATIONS],
    }


def of_operation(name: str) -> list[Option]:
    """Return the rows of one operation."""
    return [row for row in OPTIONS if row.operation == name]


def _operation(row: Operation, served: set[str], able: set[str]) -> dict[str, Any]:
    said: dict[str, Any] = {"Name": row.name, "Method": row.method, "Path": row.path, "Since": str(row.since)}
    if not is_served(row, served):
        return said | {"Served": False, "Status": row.status, "Options": []}
    return said | {"Served": True, "Options": [_option(option, able) for option in of_operation(row.name)]}


def is_served(row: Operation, served: Iterable[str]) -> bool:
    """Whether an operation does what it is for: it has a handler, or needs none."""
    return row.name in set(served) or row.open


def _option(row: Option, able: set[str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "In": row.place.value,
        "Name": row.name,
        "Fate": fate_here(row, able),
        "Since": str(row.since),
    }
    extra = {
        "Until": str(row.until) if row.until else "",
        "Needs": row.needs,
        "Note": row.note,
        "Except": [_case(case) for case in row.cases if is_exception(case, row, able)],
    }
    return said | {key: value for key, value in extra.items() if value}


def is_exception(case: Case, row: Option, able: Iterable[str]) -> bool:
    """Whether a value fares otherwise than its option, where nodes advertise the capabilities ``able``."""
    return case.fate is not row.fate and case.unless not in set(able)


def _case(case: Case) -> dict[str, Any]:
    extra = {"Status": case.status, "Unless": case.unless}
    said = {"Value": case.value, "Fate": case.fate.value, "Says": case.says}
    return said | {key: value for key, value in extra.items() if value}
