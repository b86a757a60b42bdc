"""Run calls through the chain: before in order, the translator, after in reverse; failed in reverse."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from gateway import signals
from gateway.call import Call, Reply
from gateway.chain_loading import Member, load_members
from gateway.chain_steps import BUCKETS, Step, Tally, shadow_of
from gateway.errors import DockerError
from gateway.operations import OPERATIONS, by_name
from gateway.settings import Settings
from middleware.base import MOMENTS
from sdc.http import request_id as outgoing_request_id

logger = structlog.get_logger("gateway.chain")
Stream = TypeVar("Stream")

_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of one operation, each moment in the order in which it runs."""

    before: tuple[Step, ...] = ()
    provision: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    item: tuple[Step, ...] = ()
    stream: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()


class Pipeline:
    """The chain of a worker. Which steps an operation has is worked out once, so a call pays only for those."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)
        self._tallies = {(member.name, moment): Tally() for member in members for moment in member.moments}
        self._chains = {row.name: Chain() if row.open else self._chain(row.name) for row in OPERATIONS}

    @classmethod
    def load(cls, settings: Settings) -> Pipeline:
        """Make the chain that the settings name. Raises ValueError that says which member is wrong, and how."""
        return cls(load_members(settings))

    def run(self, call: Call, handler: Callable[[], Reply]) -> Reply:
        """Take a call through its chain and its handler.

        When anything refuses or breaks, what the call left in ``call.undo`` is taken back, and every member
        whose ``before`` was reached (one without a ``before`` counts as reached in its place) sees ``failed``.
        Raises what the last of them left of the error.
        """
        name = call.operation.name
        if signals.call_started.receivers:
            signals.call_started.send(name, call=call)
        outgoing_request_id.set(call.request_id)
        try:
            reply = _Passage(self._chains[name], call).run(handler)
        except BaseException as error:
            signals.call_failed.send(name, call=call, error=error)
            if isinstance(error, Exception):
                self._finished(call, error.status if isinstance(error, DockerError) else 500)
            raise
        self._finished(call, reply.status)
        return reply

    def open_stream(self, call: Call, stream: Stream) -> Stream:
        """Let members wrap a hijacked connection or a stream of bytes; the first member's wrap is the innermost.

        A stream cannot be copied, so an observed member's ``stream`` is not run.
        """
        for step in self._chains[call.operation.name].stream:
            if not step.member.observe:
                stream = step(call, stream)
        return stream

    def shows_items(self, call: Call) -> bool:
        """Whether any member looks at the elements of this operation's list."""
        return bool(self._chains[call.operation.name].item)

    def wraps_streams(self, call: Call) -> bool:
        """Whether ``open_stream`` would wrap anything for this call."""
        return any(not step.member.observe for step in self._chains[call.operation.name].stream)

    def filter_items(self, call: Call, items: Iterable[Any]) -> Iterator[Any]:
        """Show each element of a list or stream to the members in order; leave out what one of them drops."""
        steps = self._chains[call.operation.name].item
        return _filtered(steps, call, items) if steps else iter(items)

    def statistics(self) -> list[dict[str, Any]]:
        """What every moment of every member has cost and refused in this worker, as data.

        ``buckets`` pairs upper bounds in seconds (None: no bound) with the number of runs up to that bound
        and above the one before it.
        """
        bounds = (*BUCKETS, None)
        return [
            {
                "member": member,
                "moment": moment,
                "calls": tally.calls,
                "refusals": tally.refusals,
                "errors": tally.errors,
                "seconds": tally.seconds,
                "buckets": list(zip(bounds, tally.buckets, strict=True)),
            }
            for (member, moment), tally in self._tallies.items()
        ]

    def describe(self) -> list[tuple[str, list[str]]]:
        """The effective chain of every operation: ``("container.create", ["quota (provision, after)", ...])``."""
        return [(row.name, [] if row.open else [_label(m) for m in self._on(row.name)]) for row in OPERATIONS]

    def _on(self, operation: str) -> list[Member]:
        names = {operation, by_name(operation).stands_for}
        return [member for member in self._members if names & member.operations]

    def _chain(self, operation: str) -> Chain:
        found: dict[str, list[Step]] = {moment: [] for moment in MOMENTS}
        for place, member in enumerate(self._on(operation)):
            for moment in member.moments:
                found[moment].append(Step(member, moment, place, self._tallies[member.name, moment]))
        found["after"].reverse()
        found["failed"].reverse()
        return Chain(**{moment: tuple(steps) for moment, steps in found.items()})

    def _finished(self, call: Call, status: int) -> None:
        if not signals.call_finished.receivers:
            return
        seconds = time.monotonic() - call.began
        signals.call_finished.send(call.operation.name, call=call, status=status, seconds=seconds)


class _Passage:
    """One call on its way: how far it came, and the shadows that observed members work on."""

    __slots__ = ("_call", "_chain", "_reached", "_shadows")

    def __init__(self, chain: Chain, call: Call) -> None:
        self._chain = chain
        self._call = call
        self._reached = -1
        self._shadows: dict[str, Call] = {}

    def run(self, handler: Callable[[], Reply]) -> Reply:
        self._call.provision = self._provision
        try:
            return self._carry_out(handler)
        except Exception as error:
            take_back(self._call)
            final = self._failed(error)
            if final is error:
                raise
            raise final from error
        except BaseException:  # the greenlet is being killed: its client has gone
            take_back(self._call)
            self._failed(ConnectionAbortedError("the client went away"))
            raise
        finally:
            for shadow in self._shadows.values():
                take_back(shadow)

    def _carry_out(self, handler: Callable[[], Reply]) -> Reply:
        for step in self._chain.before:
            self._reached = step.place
            self._act(step)
            outgoing_request_id.set(self._call.request_id)
            if self._call.account is not None:
                self._read_body()
        self._reached = _ALL
        self._read_body()
        reply = handler()
        for step in self._chain.after:
            self._act(step, reply)
        return reply

    def _read_body(self) -> None:
        """Decode the body, once; members under observation get copies. Raises what the client did wrong."""
        call = self._call
        if call.unread is None:
            return
        read, call.unread = call.unread, None
        call.body = read()
        for shadow in self._shadows.values():
            shadow.body = copy.deepcopy(call.body)

    def _provision(self, payload: dict[str, Any]) -> dict[str, Any]:
        for step in self._chain.provision:
            self._act(step, payload)
        return payload

    def _failed(self, error: Exception) -> Exception:
        for step in self._chain.failed:
            if step.place > self._reached:
                continue
            try:
                replacement = self._act(step, error)
            except DockerError as raised:
                if isinstance(raised.__cause__, Exception) and raised.__cause__ is not error:
                    continue  # the member broke; that is logged, and the call's own error is the better answer
                replacement = raised
            if isinstance(replacement, Exception):
                error = replacement
        return error

    def _act(self, step: Step, *subject: Any) -> Any:
        if not step.member.observe:
            return step(self._call, *subject)
        shadow = self._shadows.get(step.member.name)
        if shadow is None:
            shadow = self._shadows[step.member.name] = shadow_of(self._call)
        return step.rehearse(shadow, self._call, *subject)


def take_back(call: Call) -> None:
    """Run what the call left in ``undo``, last first. One that fails is logged and does not stop the others."""
    while call.undo:
        action = call.undo.pop()
        try:
            action()
        except Exception as error:
            logger.exception(
                "could not take back", operation=call.operation.name, req_id=call.request_id, exc_info=error
            )


def _filtered(steps: tuple[Step, ...], call: Call, items: Iterable[Any]) -> Iterator[Any]:
    shadow = shadow_of(call) if any(step.member.observe for step in steps) else call
    try:
        for item in items:
            kept = item
            for step in steps:
                if step.member.observe:
                    step.rehearse(shadow, call, kept)
                    continue
                kept = step(call, kept)
                if kept is None:
                    break
            else:
                yield kept
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _label(member: Member) -> str:
    notes = [*member.moments]
    if member.observe:
        notes.append("observed")
    if member.on_error == "open":
        notes.append("fails open")
    return f"{member.name} ({', '.join(notes)})"


def _note_job(_sender: Any, *, call: Call | None, job_uuid: str, vm_uuid: str, **_: Any) -> None:
    """Leave the jobs and VMs of a call in its hints, for the members that report them."""
    if call is not None:
        call.hints.setdefault("jobs", []).append(job_uuid)
        call.hints.setdefault("vms", []).append(vm_uuid)


signals.job_submitted.connect(_note_job)
