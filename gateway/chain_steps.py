"""One moment of one member: timed, counted, and under the member's fail policy."""

from __future__ import annotations

import copy
import dataclasses
from bisect import bisect_left
from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog

from gateway.call import Call, Reply
from gateway.chain_loading import Member
from gateway.errors import DockerError, InternalError, ServiceUnavailable, Unavailable

logger = structlog.get_logger("gateway.chain")

BUCKETS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Upper bounds of the histogram, in seconds; one more bucket takes the rest."""


@dataclasses.dataclass(slots=True)
class Tally:
    """What one moment of one member has done since the worker started."""

    calls: int = 0
    refusals: int = 0
    errors: int = 0
    seconds: float = 0.0
    buckets: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def took(self, seconds: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


class Step:
    """A member's moment at its place in the chain; ``place`` counts members from 0."""

    __slots__ = ("_act", "member", "moment", "place", "tally")

    def __init__(self, member: Member, moment: str, place: int, tally: Tally) -> None:
        self.member = member
        self.moment = moment
        self.place = place
        self.tally = tally
        self._act: Callable[..., Any] = getattr(member.middleware, moment)

    def __call__(self, call: Call, *subject: Any) -> Any:
        """Run the moment.

        A refusal (any error kind) passes through. Anything else that the member raises is a fault in it: with
        ``on_error = "open"`` it is logged and the subject goes on as it is, else the call fails.
        """
        began = perf_counter()
        try:
            return self._act(call, *subject)
        except DockerError:
            self.tally.refusals += 1
            raise
        except Exception as error:
            self.tally.errors += 1
            self._log("a member of the chain broke", call, exc_info=error, on_error=self.member.on_error)
            if self.member.on_error == "open":
                return subject[0] if subject else None
            raise _fault(call, error) from error
        finally:
            self.tally.took(perf_counter() - began)

    def rehearse(self, shadow: Call, call: Call, *subject: Any) -> None:
        """Run the moment on copies and log what it would have done; nothing it does or raises takes effect."""
        mine = [_copied(each) for each in subject]
        try:
            result = self(shadow, *mine)
        except DockerError as error:
            self._log("would refuse", call, status=error.status, reason=error.message)
            return
        changes = self._changes(shadow, call, mine, subject, result)
        if changes:
            self._log("would change", call, changes=changes)

    def _changes(self, shadow: Call, call: Call, mine: list[Any], subject: tuple[Any, ...], result: Any) -> list[str]:
        if self.moment == "before":
            fields = ("body", "query", "target", "account", "principal", "hints", "request_id", "deadline")
            return [name for name in fields if getattr(shadow, name) != getattr(call, name)]
        if self.moment == "provision":
            old, new = subject[0], mine[0]
            return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        if self.moment == "after":
            return [
                name for name in ("status", "headers", "body") if getattr(mine[0], name) != getattr(subject[0], name)
            ]
        if self.moment == "item":
            return [] if result == subject[0] else ["item"]
        return [] if result is None or result is mine[0] else ["error"]

    def _log(self, event: str, call: Call, **more: Any) -> None:
        logger.warning(
            event,
            member=self.member.name,
            moment=self.moment,
            operation=call.operation.name,
            req_id=call.request_id,
            **more,
        )


def shadow_of(call: Call) -> Call:
    """A copy that an observed member may change as it likes; it has the call's services and its own ``undo``."""
    return dataclasses.replace(
        call,
        body=copy.deepcopy(call.body),
        query=dict(call.query),
        target=dict(call.target),
        hints=copy.deepcopy(call.hints),
        undo=[],
    )


def _copied(subject: Any) -> Any:
    """Streams inside a reply are shared, not copied: they can be read only once."""
    if isinstance(subject, Reply):
        return dataclasses.replace(subject, body=copy.deepcopy(subject.body), headers=dict(subject.headers))
    if isinstance(subject, BaseException):
        return subject
    return copy.deepcopy(subject)


def _fault(call: Call, error: Exception) -> DockerError:
    if isinstance(error, ServiceUnavailable):
        return Unavailable("a service of the data center is not available at the moment; please try again")
    return InternalError(f"internal error in {call.operation.name} (request id {call.request_id})")
