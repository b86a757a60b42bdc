"""Turn affinity expressions into placement hints for the data center."""

from __future__ import annotations

import json
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from grammars.affinity import Affinity, AffinityError, parse
from middleware.base import Middleware

LABEL = "com.docker.swarm.affinities"
PREFIX = "affinity:"


class Placement(Middleware):
    """Read affinities from the label and the environment; put them into the payload's ``affinity``.

    Entries of the environment are taken out of it, so the container does not see them, and the whole list is
    written back as the label, so an inspect shows it. The list goes into ``call.hints["affinity"]`` as VMAPI
    takes it, empty when there is none. Which server it comes to is decided in the data center, when the
    container is provisioned: deciding here would race with other creates.

    Docker: POST /containers/create   SDC: VMAPI POST /vms
    """

    name = "placement"
    runs_on = ("container.create", "image.build")

    def before(self, call: Call) -> None:
        body = call.body
        labelled = _of_label((body.Labels or {}).get(LABEL))
        given = [entry.removeprefix(PREFIX) for entry in body.Env or () if entry.startswith(PREFIX)]
        affinities = [_parsed(expression) for expression in (*labelled, *given)]
        if given:
            body.Env = [entry for entry in body.Env if not entry.startswith(PREFIX)]
            body.Labels = {**(body.Labels or {}), LABEL: json.dumps([*labelled, *given])}
        call.hints["affinity"] = [affinity.payload() for affinity in affinities]

    def provision(self, call: Call, payload: dict[str, Any]) -> None:
        payload["affinity"] = call.hints.get("affinity", [])


def _of_label(label: str | None) -> list[str]:
    if label is None:
        return []
    try:
        found = json.loads(label)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"invalid affinities label: {label}") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidParameter(f"affinities label is not an array: {label}")
    return found


def _parsed(expression: str) -> Affinity:
    try:
        return parse(expression)
    except AffinityError as error:
        raise InvalidParameter(str(error)) from error
