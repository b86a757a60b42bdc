"""A container's place in the data center's waitlist, held while something is done that jobs must not meddle with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.call import Call
from gateway.state.undertakings import TURN
from sdc.errors import SdcError
from translators.errors import speaking_docker

Vm = dict[str, Any]

MOST_SECONDS = 600.0
"""After which jobs wait no longer, whatever became of who held the place."""


@contextmanager
def turn(call: Call, vm: Vm, action: str) -> Iterator[None]:
    """Hold a container's place for the block. When this worker dies in it, another gives the place back.

    SDC: CNAPI POST /servers/:uuid/tickets, GET /tickets/:uuid/wait, PUT /tickets/:uuid/release
    """
    cnapi, holder, ticket = call.services.cnapi, secrets.token_hex(8), ""
    subject = f"{vm['server_uuid']}/{holder}"
    call.state.undertakings.begin(TURN, subject, vm["owner_uuid"])
    try:
        with speaking_docker("problem waiting for the container's turn"):
            ticket = cnapi.queue_up(vm["server_uuid"], vm["uuid"], action, holder, MOST_SECONDS)
            cnapi.await_turn(ticket, MOST_SECONDS)
        yield
    finally:
        _give_back(call, vm, subject, ticket)


def _give_back(call: Call, vm: Vm, subject: str, ticket: str) -> None:
    """Release a ticket, now or as soon as CNAPI can be reached; one whose answer was lost is looked for."""
    try:
        if ticket:
            call.services.cnapi.release_ticket(ticket)
            call.state.undertakings.end(TURN, subject)
            return
    except SdcError:
        pass  # CNAPI is away: it is left
    call.state.undertakings.leave(TURN, subject, vm["owner_uuid"])


def give_back_all(call: Call, subject: str) -> None:
    """Release what a holder that died has in the waitlist. Raises SdcError.

    SDC: CNAPI GET /servers/:uuid/tickets, PUT /tickets/:uuid/release
    """
    server_uuid, _, holder = subject.partition("/")
    for ticket in call.services.cnapi.tickets_of(server_uuid, holder):
        call.services.cnapi.release_ticket(ticket)
