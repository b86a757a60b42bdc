"""Logs of a container."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from gateway.call import Call, StreamReply
from gateway.errors import InvalidParameter, NotImplementedHere
from sdc.stdio import Console, LineConsole
from translators.capabilities import capabilities
from translators.containers.console import is_tty, open_console, tap_of
from translators.containers.log_selection import LogSelection, epoch_seconds, select
from translators.containers.roster import roster
from translators.errors import speaking_docker

Vm = dict[str, Any]
_EPOCH = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?")
_LAST = Decimal(253402300799)
"""The last second of the year 9999: what clients mean by for ever, and more than any log has."""


def logs(call: Call, ref: str) -> StreamReply:
    """Stream a container's log: all of it, its tail, or what comes, as the query asks.

    What has to be known of the container does not change while there is one, so it need not be asked for each time.

    Docker: GET /containers/{id}/logs   SDC: CNAPI docker-exec Logs
    """
    with speaking_docker("problem looking for the container"):
        vm = roster(call).find(call.owner.uuid, ref)
    if not (call.flag("stdout") or call.flag("stderr")):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    _refuse_unreadable(vm)
    selection = LogSelection(
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        since=_moment(call.arg("since"), "since"),
        until=_moment(call.arg("until"), "until"),
        timestamps=call.flag("timestamps"),
        follow=call.flag("follow"),
        tail=_tail(call.arg("tail", "all")),
    )
    tty = is_tty(vm)
    kind = "raw" if tty or call.version < (1, 42) else "multiplexed"
    console = _console(call, vm, selection, tty=tty)
    return StreamReply(
        items=_lines(call, vm, console, selection, framed=not tty),
        json=False,
        content_type=f"application/vnd.docker.{kind}-stream",
        tap=tap_of(console, framed=not tty) if selection.follow else None,
    )


def so_far(call: Call, vm: Vm, *, stdout: bool, stderr: bool, framed: bool) -> Iterator[bytes]:
    """Return what a container has written until now. Raises NotImplementedHere where it is not kept.

    SDC: CNAPI docker-exec Logs
    """
    _refuse_unreadable(vm)
    selection = LogSelection(stdout=stdout, stderr=stderr)
    return _lines(call, vm, _console(call, vm, selection, tty=is_tty(vm)), selection, framed=framed)


def _refuse_unreadable(vm: Vm) -> None:
    if vm.get("internal_metadata", {}).get("docker:logdriver", "json-file") == "none":
        raise NotImplementedHere("configured logging driver does not support reading")


def _tail(text: str) -> int | None:
    """Number of lines; None for all, as dockerd reads anything that is no number or is negative."""
    try:
        number = int(text)
    except ValueError:
        return None
    return number if number >= 0 else None


def _moment(text: str, name: str) -> Decimal | None:
    """Epoch seconds with a fraction, or RFC 3339; empty and 0 mean none. A day alone means its beginning."""
    if not text or text == "0":
        return None
    if _EPOCH.fullmatch(text):
        return min(max(Decimal(text), Decimal(0)), _LAST)
    moment = epoch_seconds(text if len(text) != len("2026-01-31") else f"{text}T00:00:00Z")
    if moment is None:
        raise InvalidParameter(f'invalid value for "{name}": {text}')
    return moment


def _console(call: Call, vm: Vm, selection: LogSelection, *, tty: bool) -> Console | None:
    if not vm.get("server_uuid"):
        return None
    command = _command(vm, selection, filtering="logs-filter" in capabilities(call))
    return open_console(call, vm, command, tty=tty)


def _lines(call: Call, vm: Vm, console: Console | None, selection: LogSelection, *, framed: bool) -> Iterator[bytes]:
    if console is None:
        return
    try:
        if isinstance(console, LineConsole):
            over = _stopped(call, vm) if selection.follow else None
            yield from select(console.messages(over), selection, framed=framed)
        else:
            yield from map(bytes, console.output(framed=framed))  # a view is good only until the next piece
    finally:
        console.close()


def _command(vm: Vm, selection: LogSelection, *, filtering: bool) -> dict[str, Any]:
    command: dict[str, Any] = {
        "Cmd": ["Logs"],
        "Logs": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Container": vm["uuid"],
        "Follow": selection.follow,
        "Timestamps": True,
        "Tail": "all",
    }
    if not filtering:
        # a real node's "all" with follow means the last ten lines; "+1" is read as "from the first line on"
        command["Tail"] = "+1" if selection.follow else "all"
        return command
    command |= {"Stdout": selection.stdout, "Stderr": selection.stderr, "Timestamps": selection.timestamps}
    if selection.tail is not None:
        command["Tail"] = selection.tail
    for key, value in (("Since", selection.since), ("Until", selection.until)):
        if value is not None:
            command[key] = f"{value:.9f}"
    return command


def _stopped(call: Call, vm: Vm) -> Callable[[], bool]:
    """Make the check that ends a follow on a real node."""

    def check() -> bool:
        with speaking_docker("problem following the container's log"):
            return bool(call.services.vmapi.get_vm(vm["uuid"], vm["owner_uuid"])["state"] != "running")

    return check
