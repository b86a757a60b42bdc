"""The process to run beside a container's own: from an exec command to OCI process JSON, and why it can't run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from datacenter.node.programs import check_program
from datacenter.node.rootpath import resolve
from datacenter.node.spec import Json, environment
from datacenter.node.tasks import TaskError
from datacenter.node.users import find_user
from datacenter.node.zone import Zone

PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "
NOT_FOUND = ("no such file or directory", "executable file", "not a directory")


class Bundle(msgspec.Struct):
    """What of a container's config.json an exec needs; the long seccomp profile is skipped over."""

    process: Json


class ExecFailure(Exception):
    """A process that never ran: Docker's sentence, the exit code Docker gives it, and the rest code."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        found = not any(sign in message.lower() for sign in NOT_FOUND)
        self.code = 126 if found else 127
        self.rest_code = "InitNotExecutable" if found else "InitNotFound"


def exec_process(zone: Zone, command: dict[str, Any]) -> Json:
    """The OCI process of an exec: the container's own, with the command's program, user, folder and environment.

    Looks into the running container's root as its processes see it, volumes included. Raises ExecFailure.
    """
    root = Path(f"/proc/{zone.pid}/root")
    tty = bool(command.get("Tty"))
    metadata = zone.metadata
    own = msgspec.json.decode((zone.bundle / "config.json").read_bytes(), type=Bundle).process
    cwd = command.get("WorkingDir") or own["cwd"]
    groups = tuple(zone.linux.get("GroupAdd") or ())
    try:
        user = find_user(root, command.get("User") or metadata.get("docker:user") or "", groups)
    except TaskError as error:
        raise ExecFailure(error.message) from error
    vm = {**zone.record, "internal_metadata": {**metadata, "docker:tty": tty}}
    env = merge_env(environment(vm, user), command.get("Env") or [])
    _check_folder(root, cwd)
    argv = [str(word) for word in command["Cmd"]]
    try:
        check_program(root, argv[0], env, cwd)
    except TaskError as error:
        raise ExecFailure(f"{PREFIX}{error.message}: unknown") from error
    ids = {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}
    return {**own, "args": argv, "env": env, "cwd": cwd, "user": ids, "terminal": tty}


def merge_env(base: list[str], extra: list[str]) -> list[str]:
    """Docker's rule: later wins, and a name without ``=`` takes the variable away."""
    found = {entry.partition("=")[0]: entry for entry in base}
    for entry in extra:
        key, equals, _ = entry.partition("=")
        if equals:
            found[key] = entry
        else:
            found.pop(key, None)
    return list(found.values())


def _check_folder(root: Path, cwd: str) -> None:
    try:
        path = resolve(root, cwd)
        if path.is_dir():
            return
        why = "not a directory" if path.exists() else "no such file or directory"
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
    raise ExecFailure(f'{PREFIX}chdir to cwd ("{cwd}") set in config.json failed: {why}: unknown')
