"""Arm and trace the points of a faulty instance's processes; see hook/sitecustomize.py for what a point is."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.local.instance import ROOT

BEFORE, AFTER = " |>", " >|"


@dataclass(frozen=True, slots=True)
class Point:
    """The ``nth`` passage of a point by a process of one kind, within one operation."""

    label: str
    name: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.label}: {self.name}" + (f" ({self.nth})" if self.nth > 1 else "")


class Points:
    """The test's end of the folder in which points are traced and armed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-points-"))

    @property
    def environment(self) -> dict[str, str]:
        hook = Path(__file__).parent / "hook"
        return {"FAULTS": str(self.folder), "PYTHONPATH": f"{hook}:{ROOT}", "KEEPER_STEADY": "0"}

    @contextmanager
    def traced(self) -> Iterator[list[Point]]:
        """Give the points that were passed in the block, once it is over."""
        trace, found = self.folder / "trace", []
        trace.write_text("")
        try:
            yield found
        finally:
            found += points_in(trace.read_text())
            trace.unlink()

    def kill_at(self, point: Point, victim: str = "self", number: int = signal.SIGKILL) -> None:
        """Have a point kill the process that reaches it, the ``child`` that it has just started, or a pid.

        One point of each kind of process may be armed so. With SIGSTOP what happens there is held.
        """
        self._arm(f"{point.label}-kill", point, victim, number)

    @contextmanager
    def failing_at(self, point: Point) -> Iterator[None]:
        """Have what is at a point fail, once, within the block."""
        self._arm(f"{point.label}-fail", point)
        try:
            yield
        finally:
            self._disarm(f"{point.label}-fail")

    def fired(self, point: Point) -> bool:
        return (self.folder / f"fired-{point.label}-kill").exists()

    def disarm(self, point: Point) -> None:
        self._disarm(f"{point.label}-kill")

    def _arm(self, kind: str, point: Point, victim: str = "", number: int = 0) -> None:
        self._disarm(kind)
        fresh = self.folder / "fresh"
        fresh.write_text(json.dumps({"point": point.name, "nth": point.nth, "victim": victim, "signal": number}))
        fresh.rename(self.folder / f"armed-{kind}")

    def _disarm(self, kind: str) -> None:
        for state in ("armed", "fired"):
            (self.folder / f"{state}-{kind}").unlink(missing_ok=True)


def points_in(trace: str) -> list[Point]:
    """Read a trace: the points of each process between which something has changed.

    Questions change nothing, so of them only the first look for a job counts: somebody is waiting there. Before
    something is the same as after what came before.
    """
    passed: dict[tuple[str, str], int] = {}
    found: list[Point] = []
    for line in trace.splitlines():
        label, name = line.split("\t")
        nth = passed[label, name] = passed.get((label, name), 0) + 1
        asked = " GET " in name or " HEAD " in name
        waits = asked and "/jobs/" in name and nth == 1
        begins = name.endswith(BEFORE) and not any(point.label == label for point in found)
        if waits or (not asked and (name.endswith(AFTER) or begins)):
            found.append(Point(label, name, nth))
    return found
