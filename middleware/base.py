"""The middleware contract: one class, one file, typed options, any of six moments.

A member is a subclass of Middleware. It implements any of the moments below; a moment it lacks costs
nothing. A public method that is not a moment stops the start-up, so a misspelt ``befor`` is found at once.

    class NoNightShift(Middleware):
        name = "no_night_shift"
        runs_on = ("container.create",)

        class Options(Options):
            until: int = 6

        def before(self, call):
            if datetime.now().hour < self.options.until:
                raise Forbidden("no new containers at night")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

if TYPE_CHECKING:
    from gateway.call import Call, Duplex, Reply

MOMENTS: Mapping[str, int] = MappingProxyType(
    {"before": 1, "provision": 2, "after": 2, "item": 2, "stream": 2, "failed": 2}
)
"""Each moment, in the order a call meets them, and how many arguments it is given."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a member's typed options, read from ``[middleware.<name>]`` in conf/gateway.toml."""


class Middleware:
    """Base of all members. The chain makes one instance per worker; keep no per-call state on it."""

    name: ClassVar[str]
    """What the chain's list, logs and metrics call it."""
    runs_on: ClassVar[tuple[str, ...]] = ("*",)
    """Operations it sees: exact names (``container.create``) or a resource (``container.*``); ``*`` is all."""
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Any) -> None:
        self.options = options

    if TYPE_CHECKING:  # the moments, for type checkers; a member defines only those it needs

        def before(self, call: Call) -> None:
            """In order, before the translator: change the call, or refuse by raising an error kind."""

        def provision(self, call: Call, payload: dict[str, Any]) -> None:
            """In order, with the finished VMAPI payload: change it in place, or refuse."""

        def after(self, call: Call, reply: Reply) -> None:
            """In reverse order: rewrite the decoded reply in place."""

        def item(self, call: Call, item: Any) -> Any:
            """For each element of a list or of a JSON stream: return it, changed or not; None drops it."""

        def stream(self, call: Call, stream: Duplex | Iterator[bytes]) -> Duplex | Iterator[bytes]:
            """When a stream opens: return it, wrapped or not. A Duplex when hijacked, else an iterator of bytes."""

        def failed(self, call: Call, error: Exception) -> Exception | None:
            """In reverse order: observe; return another error to put it in the place of this one."""
