"""Loaded by Python itself into the processes of a faulty instance: watches the places through which effects go.

Every effect of a process passes one of few places: the job engine's tasks, the records' statements, the node's tasks,
system calls, programs and files, the gateway's requests to the services. Each passage is a *point* with a name made of
what passes. Points are traced, or armed: an armed one kills (or stops) the process, its child or some other one, or fails. The
product knows nothing of this. A place that is not there any more stops the process, so that the tests are brought up to date.
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial, wraps
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

FOLDER = os.environ.get("FAULTS", "")
UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{12,64}\b|(?<=layers/)[\w-]{22}|\d+")
HOME = re.compile(r"/run/tdg/[^/]+/")
TABLE = re.compile(r"\b((?:ip|inet) \w+)")
WRITES = re.compile(r"\s*(?:INSERT(?: OR REPLACE)? INTO|DELETE FROM|UPDATE) (\w+)")
stat, rename, kill, getpid = os.stat, os.rename, os.kill, os.getpid
open_fd, write_fd, close_fd = os.open, os.write, os.close


class Armed:
    """What is armed of one kind, as last read from its file."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._mark: tuple[int, int] | None = None
        self._order: dict[str, Any] = {}
        self._passed = 0

    def is_due(self, point: str) -> bool:
        """Whether this is the passage to act at; only one process is told so."""
        try:
            found = stat(f"{FOLDER}/armed-{self.kind}")
            if (mark := (found.st_ino, found.st_mtime_ns)) != self._mark:
                self._order = json.loads(Path(f"{FOLDER}/armed-{self.kind}").read_text())
                self._mark, self._passed = mark, 0
            if self._order["point"] != point:
                return False
            self._passed += 1
            if self._passed != self._order["nth"]:
                return False
            rename(f"{FOLDER}/armed-{self.kind}", f"{FOLDER}/fired-{self.kind}")
        except FileNotFoundError:
            return False  # nothing is armed, or another process was first
        return True

    def signal(self) -> int:
        return int(self._order["signal"])

    def victim(self, child: int) -> int:
        return {"self": getpid(), "child": child}.get(self._order["victim"]) or int(self._order["victim"])


class Points:
    """The points of this process. ``label`` says which kind of process it is."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._kill, self._fail = Armed(f"{label}-kill"), Armed(f"{label}-fail")

    def pass_by(self, point: str, child: int = 0) -> None:
        """Note that a point was reached; act when it is an armed one."""
        point = UNIQUE.sub("*", point)
        self._trace(point)
        if self._kill.is_due(point):
            kill(self._kill.victim(child), self._kill.signal())
        if self._fail.is_due(point):
            raise RuntimeError(f"failed for a test: {point}")

    def _trace(self, point: str) -> None:
        try:
            fd = open_fd(f"{FOLDER}/trace", os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return
        write_fd(fd, f"{self.label}\t{point}\n".encode())
        close_fd(fd)


def around(owner: Any, name: str, describe: Any, *, before: bool = True, after: bool = True) -> None:
    """Make points of the calls of ``owner.name``; ``describe`` gives a call's name, or None for no point."""
    real = getattr(owner, name)

    @wraps(real)
    def watched(*args: Any, **kwargs: Any) -> Any:
        point = describe(*args, **kwargs)
        if point is None:
            return real(*args, **kwargs)
        if before:
            points.pass_by(f"{point} |>")
        found = real(*args, **kwargs)
        if after:
            points.pass_by(f"{point} >|", getattr(found, "pid", 0))
        return found

    setattr(owner, name, watched)


def engine(module: Any) -> None:
    def describe(_: Any, job: Any, task: Any, results: Any) -> str:
        undoing = " undoing" if results is job.doc["onerror_results"] else ""
        return f"job {job.workflow.task}{undoing}: {task.name}"

    around(module.Engine, "_attempt", describe)


def writes(statement: str) -> str | None:
    found = WRITES.match(statement)
    return f"write {found[1]}" if found else None


def store(module: Any) -> None:
    around(module.Store, "execute", lambda self, text, *_: None if self._undo is not None else writes(text))
    transactions(module.Store)


def database(module: Any) -> None:
    around(module.Database, "execute", lambda self, text, *_: None if self.in_transaction else writes(text))
    transactions(module.Database)


def transactions(owner: Any) -> None:
    """A transaction is one effect: nothing of it is there before its end."""
    from contextlib import contextmanager

    real, depth = owner.transaction, {"now": 0}

    @contextmanager
    def watched(self: Any) -> Any:
        depth["now"] += 1
        try:
            with real(self):
                yield
        finally:
            depth["now"] -= 1
        if not depth["now"]:
            points.pass_by("commit >|")

    owner.transaction = watched
    owner.in_transaction = property(lambda _: depth["now"] > 0)


def agent(module: Any) -> None:
    around(module.Node, "run", lambda _, name, __: f"task {name}")
    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        around(os, name, lambda path, *_, name=name, **__: in_home(name, path), before=False)


def in_home(name: str, path: Any) -> str | None:
    """What is done to a file of the node; files of others are none of its effects."""
    found = HOME.match(str(path))
    return f"{name} {str(path)[found.end() :]}" if found else None


def syscalls(module: Any) -> None:
    for name in ("mount", "unmount", "unshare"):
        around(module, name, lambda *args, name=name, **_: in_home(name, args[min(1, len(args) - 1)]), before=False)


def programs(module: Any) -> None:
    around(module, "start", lambda argv, **_: f"start {os.path.basename(argv[0])} {runtime_word(argv)}", before=False)  # noqa: PTH119


def runtime_word(argv: Any) -> str:
    return next((word for word in argv[1:] if not word.startswith("-")), "") if "run" in argv[0] else ""


def netlink(module: Any) -> None:
    words = {16: "link", 17: "unlink", 20: "address", 24: "route"}
    around(module.Netlink, "_ask", lambda _, kind, *__: f"netlink {words[kind]}", before=False)


def nft(module: Any) -> None:
    around(module, "run", lambda text, *_, **__: f"nft {TABLE.search(text)[1]}", before=False)


def address_sets(module: Any) -> None:
    around(module.AddressSets, "change", lambda *_: "netlink addresses", before=False)


def runtime(module: Any) -> None:
    around(module.Runtime, "start", lambda *_: "let the process go")


def requests(module: Any) -> None:
    def describe(self: Any, method: str, path: str, *, reads: bool, **_: Any) -> str | None:
        return f"{self.service} {method} {path}" if (method in {"GET", "HEAD"}) == reads else None

    for name in ("ask", "send"):  # small questions, and bodies and answers that are streamed
        around(module.ServiceClient, name, partial(describe, reads=False))
        around(module.ServiceClient, name, partial(describe, reads=True), before=False)


def answers(module: Any) -> None:
    around(module.Pipeline, "run", lambda _, call, __: f"call {call.operation.name}", before=False)


PLACES = {
    "services": {"datacenter.workflow.engine": engine, "datacenter.store": store},
    "node": {
        "datacenter.node.agent": agent,
        "datacenter.node.syscalls": syscalls,
        "datacenter.node.spawn": programs,
        "datacenter.node.netlink": netlink,
        "datacenter.node.nft": nft,
        "datacenter.node.address_sets": address_sets,
        "datacenter.node.runtime": runtime,
    },
    "gateway": {"sdc.http": requests, "gateway.state.database": database, "gateway.pipeline": answers},
}
MODULES = {"datacenter.services": "services", "datacenter.node": "node", "gunicorn": "gateway"}


class Finder:
    """Finds the modules that hold the places, and watches them as soon as they are loaded."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        place = PLACES[points.label].get(name)
        spec = PathFinder.find_spec(name, path, target) if place else None
        if place is None or spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def watched(module: Any) -> None:
            load(module)
            place(module)

        spec.loader.exec_module = watched  # type: ignore[method-assign]
        return spec


LABEL = next((MODULES[word] for word in sys.orig_argv if word in MODULES), "")
if FOLDER and LABEL and "--cleanup" not in sys.orig_argv:
    points = Points(LABEL)
    sys.meta_path.insert(0, Finder())
