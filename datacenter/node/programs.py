"""Whether a program can be started at all, told before the runtime tries, in Docker's words."""

from __future__ import annotations

import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from datacenter.node.rootpath import resolve
from datacenter.node.tasks import TaskError


def check_program(root: Path, name: str, env: Sequence[str], cwd: str, mounted: Collection[str] = ()) -> None:
    """Raise TaskError InitNotFound (127) or InitNotExecutable (126) when ``name`` can't be run in ``root``.

    A name without a slash is looked for in the container's own PATH. What is below one of the places ``mounted`` is not
    to be seen from here: the runtime will tell.
    """
    hidden = [root / place.strip("/") for place in mounted]

    def check(path: Path) -> None:
        if not any(path.is_relative_to(place) for place in hidden):
            _check(path, name)

    if "/" in name:
        check(resolve(root, name, cwd))
        return
    search = next((entry[5:] for entry in reversed(env) if entry.startswith("PATH=")), "")
    denied = False
    for folder in search.split(":"):
        try:
            check(resolve(root, f"{folder or '.'}/{name}", cwd))
        except TaskError as failure:
            denied = denied or "permission denied" in failure.message
        else:
            return
    if denied:
        raise TaskError("InitNotExecutable", f'exec: "{name}": permission denied')
    raise TaskError("InitNotFound", f'exec: "{name}": executable file not found in $PATH')


def _check(path: Path, name: str) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        message = f'exec: "{name}": stat {name}: no such file or directory'
        raise TaskError("InitNotFound", message) from None
    if stat.S_ISDIR(mode):
        raise TaskError("InitNotExecutable", f'exec: "{name}": is a directory')
    if not mode & 0o111:
        raise TaskError("InitNotExecutable", f'exec: "{name}": permission denied')
