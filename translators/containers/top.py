"""The processes of a container, in the columns that ``ps`` would show."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from translators.containers.lookup import docker_id, find_container
from translators.containers.states import refuse_unless_up, status
from translators.errors import speaking_docker
from translators.events.recorder import tell

Ps = Mapping[str, Any]
"""A process's ``psinfo``, as illumos writes it."""

_DAY = 86400


def top(call: Call, ref: str) -> dict[str, Any]:
    """List the processes of a running container; ``ps_args`` may choose columns with ``-o``, or ``aux``.

    Docker: GET /containers/{id}/top   SDC: VMAPI GET /vms/:uuid/proc
    """
    columns = parse_columns(call.arg("ps_args") or "-ef")
    vm = find_container(call, ref)
    if status(vm) != "paused":
        refuse_unless_up(vm, docker_id(vm))
    with speaking_docker("problem listing the container's processes"):
        found = call.services.vmapi.proc(vm["uuid"])
    processes = sorted((process.get("psinfo") or process for process in found), key=lambda ps: int(ps["pr_pid"]))
    tell(call, vm, "top")
    return {
        "Titles": [title for title, _ in columns],
        "Processes": [[read(ps) for _, read in columns] for ps in processes],
    }


def _text(key: str) -> Callable[[Ps], str]:
    return lambda ps: str(ps.get(key, ""))


def _seconds(value: object) -> float:
    """Read a time that may come as a number, as text, or as its seconds and nanoseconds."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else 0
    elif isinstance(value, dict):
        value = value.get("tv_sec", 0)
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _cpu_time(ps: Ps) -> str:
    """``00:01:05``; a text that is no number is as the node wrote it."""
    value = ps.get("pr_time", 0)
    if isinstance(value, str) and ":" in value:
        return value
    whole = int(_seconds(value))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _started(ps: Ps) -> str:
    """``14:05`` within a day, else ``Nov23``; UTC."""
    at = _seconds(ps.get("pr_start", 0))
    if at == 0:
        text = ps.get("pr_start")
        return text if isinstance(text, str) and text else "-"
    return time.strftime("%H:%M" if time.time() - at < _DAY else "%b%d", time.gmtime(at))


def _elapsed(ps: Ps) -> str:
    whole = max(0, int(time.time() - _seconds(ps.get("pr_start", 0))))
    days, rest = divmod(whole, _DAY)
    clock = f"{rest // 60 % 60:02d}:{rest % 60:02d}"
    if days or rest >= 3600:
        clock = f"{rest // 3600:02d}:{clock}"
    return f"{days}-{clock}" if days else clock


def _terminal(ps: Ps) -> str:
    device = str(ps.get("pr_ttydev", "?"))
    return "?" if device in {"", "0", "-1", "None"} else device


def _name(ps: Ps) -> str:
    return str(ps.get("pr_fname") or str(ps.get("pr_psargs", "")).partition(" ")[0].rpartition("/")[2])


def _percent(ps: Ps) -> str:
    return str(ps.get("pr_pctcpu", "0"))


Column = tuple[str, Callable[[Ps], str]]

_COLUMNS: dict[str, Column] = {
    "uid": ("UID", _text("pr_euid")),
    "user": ("USER", _text("pr_euid")),
    "euid": ("EUID", _text("pr_euid")),
    "ruid": ("RUID", _text("pr_uid")),
    "gid": ("GID", _text("pr_egid")),
    "pid": ("PID", _text("pr_pid")),
    "ppid": ("PPID", _text("pr_ppid")),
    "pgid": ("PGID", _text("pr_pgid")),
    "sid": ("SID", _text("pr_sid")),
    "nlwp": ("NLWP", _text("pr_nlwp")),
    "c": ("C", _percent),
    "pcpu": ("%CPU", _percent),
    "pmem": ("%MEM", _text("pr_pctmem")),
    "rss": ("RSS", _text("pr_rssize")),
    "vsz": ("VSZ", _text("pr_size")),
    "stime": ("STIME", _started),
    "start": ("START", _started),
    "etime": ("ELAPSED", _elapsed),
    "tty": ("TTY", _terminal),
    "tt": ("TT", _terminal),
    "time": ("TIME", _cpu_time),
    "cmd": ("CMD", _text("pr_psargs")),
    "args": ("COMMAND", _text("pr_psargs")),
    "command": ("COMMAND", _text("pr_psargs")),
    "comm": ("COMMAND", _name),
    "ucmd": ("CMD", _name),
}
_ALIASES = {"%cpu": "pcpu", "%mem": "pmem", "rssize": "rss", "vsize": "vsz", "pgrp": "pgid", "tname": "tty"}
_FULL = ("uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd")
_BSD = ("user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "start", "time", "args")
_SHORT = ("pid", "tty", "time", "ucmd")
_FORMAT = re.compile(r"(?:^|\s)(?:-[a-zA-Z]*o|o|--format)[\s=]*(\S+)")


def parse_columns(ps_args: str) -> list[Column]:
    """Choose columns from the options of ``ps``. Raises InvalidParameter for a column that nobody knows.

    Without ``pid`` among them Docker could not tell whose processes they are, so it refuses that.
    """
    formats = _FORMAT.findall(ps_args)
    if not formats:
        options = ps_args.strip()
        if not options.startswith("-") and "u" in options.partition(" ")[0]:
            return [_COLUMNS[name] for name in _BSD]
        return [_COLUMNS[name] for name in (_FULL if "f" in ps_args else _SHORT)]
    columns: list[Column] = []
    for text in ",".join(formats).split(","):
        name, equals, title = text.partition("=")
        known = _COLUMNS.get(_ALIASES.get(name.lower(), name.lower()))
        if known is None:
            raise InvalidParameter(f'error: unknown user-defined format specifier "{name}"')
        columns.append((title, known[1]) if equals and title else known)
    if all(read is not _COLUMNS["pid"][1] for _, read in columns):
        raise InvalidParameter("Couldn't find PID field in ps output")
    return columns
