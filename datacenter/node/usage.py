"""How much a container has written."""

from __future__ import annotations

from pathlib import Path

from datacenter.images.pace import breathe
from datacenter.node import spawn
from datacenter.node.zone import Zone


def written_bytes(zone: Zone) -> int:
    """Return the bytes of the files a zone has over its image's, as dockerd counts them.

    A file with several names counts once, folders and volumes not at all. A program looks, so that a big tree
    doesn't hold up the agent; what vanishes meanwhile is left out.
    """
    return file_bytes(zone.upper)


def file_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder; one with several names counts once, folders not at all.

    They are counted as they are found: there may be millions.
    """
    process, reader = spawn.start_heard(
        ["find", str(folder), "!", "-type", "d", "-size", "+0", "-printf", "%n %i %s\n"], (1,)
    )
    total, seen, rest = 0, set[bytes](), b""
    for chunk in spawn.chunks(reader):
        *lines, rest = (rest + chunk).split(b"\n")
        for links, inode, size in map(bytes.split, lines):
            if links != b"1":
                if inode in seen:
                    continue
                seen.add(inode)
            total += int(size)
        breathe()
    process.wait()
    return total
