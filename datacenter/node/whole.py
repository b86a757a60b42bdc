"""Files that are there as a whole or not at all, whenever the agent dies."""

from __future__ import annotations

from pathlib import Path

UNFINISHED = ".new"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside the one that is there, then put it in its place."""
    fresh = path.with_name(path.name + UNFINISHED)
    fresh.write_bytes(data)
    fresh.replace(path)
