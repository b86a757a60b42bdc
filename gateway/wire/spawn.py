"""The one way to start a greenlet in the gateway.

A bare ``gevent.spawn`` starts with empty context variables: the request, its id and the bound log
fields are gone in the child.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Self

import gevent
from gevent import Greenlet


def spawn(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
    """Run ``function`` in a greenlet that sees the caller's context variables.

    The caller owns the greenlet and must join or kill it; a ``Crew`` does so by itself.
    """
    return gevent.spawn(_run, copy_context(), function, args, kwargs)


def _run(context: Context, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # without this Python frame a builtin under Context.run crashes the interpreter when it is killed
    return context.run(function, *args, **kwargs)


class Crew:
    """Greenlets that do not outlive the block that started them.

    ::

        with Crew() as crew:
            crew.spawn(pump, client, process)
            crew.spawn(pump, process, client).join()
        # here both have ended
    """

    def __init__(self) -> None:
        self._members: list[Greenlet] = []

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
        member = spawn(function, *args, **kwargs)
        self._members.append(member)
        return member

    def join(self) -> None:
        """Wait for all members; raise the first error that one of them raised."""
        gevent.joinall(self._members, raise_error=True)

    def wait_first(self) -> Greenlet:
        """Wait until one member has ended, and return it."""
        return gevent.wait(self._members, count=1)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gevent.killall(self._members)
