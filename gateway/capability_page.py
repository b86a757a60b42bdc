"""The table of options for people: as a page of the documentation, and in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from gateway.operations import OPERATIONS, Operation
from gateway.versions import CEILING, FLOOR
from translators.options.compatibility import fate_here, is_exception, is_served, of_operation
from translators.options.row import Case, Fate, Option, Place

_HEAD = f"""# Compatibility

Generated from `gateway/operations.py` and `translators/options`: every operation of the Docker Engine API
{FLOOR} to {CEILING}, and what becomes of everything that a request can say. `docker-gateway capabilities`
prints this for your data center, `GET /gateway/capabilities` answers it as JSON. [differences.md](differences.md) tells
the same in prose.

- **honoured**: as on a Docker host. Where it needs a capability of the compute nodes, the row says which;
  [datacenter.md](datacenter.md#capabilities) says what each is.
- **mapped**: it becomes something of the data center's own; the row says what.
- **accepted**: it changes nothing, as on a Docker host, or because the data center is that way anyhow.
- **ignored, with a warning**: the container is made, and the reply's `Warnings` name the option.
- **refused**: the status and the sentence are given.

What a client says that no version of the API knows is ignored, as dockerd ignores it.
"""


def page(handled: Iterable[str]) -> str:
    """Write docs/compatibility.md; ``handled`` are the operations that have a handler."""
    served = set(handled)
    rows = [_HEAD, "## Operations", "", "| operation | method | path | here |", "|---|---|---|---|"]
    rows += [f"| {_name(row)} | {row.method} | `{row.path}` | {_fate(row, served)} |" for row in OPERATIONS]
    for row in OPERATIONS:
        rows += _options(row) if is_served(row, served) else ()
    return "\n".join(rows) + "\n"


def _name(row: Operation) -> str:
    return f"[`{row.name}`](#{row.name.replace('.', '')})" if of_operation(row.name) else f"`{row.name}`"


def _fate(row: Operation, served: set[str]) -> str:
    since = f", from {row.since} on" if row.since > FLOOR else ""
    return f"served{since}" if is_served(row, served) else f"refused, {row.status}"


def _options(row: Operation) -> Iterator[str]:
    options = of_operation(row.name)
    if not options:
        return
    yield from ("", f"## {row.name}")
    for place, title in ((Place.QUERY, "parameter"), (Place.HEADER, "header"), (Place.BODY, "field")):
        found = [option for option in options if option.place is place]
        if found:
            yield from ("", f"| {title} | API | here |", "|---|---|---|")
            yield from (f"| `{option.name}` | {_versions(option)} | {_cell(option)} |" for option in found)


def _versions(option: Option) -> str:
    if option.until and option.until < CEILING:
        return f"to {option.until}"
    return f"{option.since}" if option.since > FLOOR else ""


def _cell(option: Option) -> str:
    parts = [f"{fate_here(option, None)}. {option.note}".rstrip()]
    parts += [_case(case) for case in option.cases]
    return "<br>".join(part.replace("|", "\\|") for part in parts)


def _case(case: Case) -> str:
    value = json.dumps(case.value)
    outcome = f"refused, {case.status}" if case.fate is Fate.REFUSED else "a warning"
    version = f" (to {case.version})" if case.version else ""
    unless = f", unless nodes advertise `{case.unless}`" if case.unless else ""
    return f"`{value}`{version}: {outcome}{unless}: {case.says}"


def lines(handled: Iterable[str], offered: Iterable[str], *, everything: bool) -> Iterator[str]:
    """Yield what a terminal shows for nodes that advertise ``offered``: what differs from a Docker host, or all."""
    served, able = set(handled), set(offered)
    for row in OPERATIONS:
        if not is_served(row, served):
            yield f"{row.name:28} refused ({row.status})"
            continue
        for option in of_operation(row.name):
            fate = fate_here(option, able)
            exceptions = [_short(case) for case in option.cases if _differs(case, option, able, everything=everything)]
            if everything or fate not in {Fate.HONOURED.value, Fate.PLAIN.value} or exceptions:
                needs = f" (needs {option.needs})" if option.needs and option.needs not in able else ""
                yield f"{row.name:28} {option.name:46} {'; '.join([fate + needs, *exceptions])}"


def _differs(case: Case, option: Option, able: set[str], *, everything: bool) -> bool:
    """Whether a case is worth a word: nonsense (400, 404) is refused by Docker hosts, too."""
    return is_exception(case, option, able) and (everything or case.status not in {400, 404})


def _short(case: Case) -> str:
    outcome = f"refused ({case.status})" if case.fate is Fate.REFUSED else "a warning"
    return f"{json.dumps(case.value)[:40]} {outcome}"
