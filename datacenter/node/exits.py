"""How a zone's life ended: its conmon leaves the exit code in the life's own folder and goes.

That conmon is gone is the end; what it left tells how. No file is ever taken for that of another life, and none has to
be caught at its time: an agent that was not there reads the same as one that was.
"""

from __future__ import annotations

from typing import NamedTuple

from datacenter.clock import iso
from datacenter.node.zone import Zone

UNKNOWN_EXIT = 255
"""What conmon's own death leaves us with."""


class End(NamedTuple):
    """Exit code, and when it was left, in ISO 8601."""

    code: int
    moment: str


def end_of(zone: Zone) -> End:
    """Tell how the present life ended, whose conmon is gone."""
    file = zone.present_life / zone.uuid
    try:
        code, seconds = int(file.read_text()), file.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return End(UNKNOWN_EXIT, iso())
    began = zone.life.boot_timestamp or ""  # file times are those of the kernel's last tick
    return End(code if code >= 0 else UNKNOWN_EXIT, max(iso(seconds), began))
