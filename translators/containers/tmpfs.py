"""tmpfs mounts: ``--tmpfs`` and ``--mount type=tmpfs`` as one, checked as dockerd does."""

from __future__ import annotations

import json
import re

from gateway.errors import InvalidParameter
from translators.containers.model import HostConfig, Mount

_FLAGS = frozenset((
    "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync", "mand",
    "nomand", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
))  # fmt: skip
_VALUES = {
    "size": re.compile(r"\d{1,18}[kmg%]?", re.IGNORECASE),
    "mode": re.compile(r"[0-7]{1,4}"),
    "uid": re.compile(r"\d{1,9}"),
    "gid": re.compile(r"\d{1,9}"),
    "nr_inodes": re.compile(r"\d{1,18}[kmg]?", re.IGNORECASE),
    "nr_blocks": re.compile(r"\d{1,18}[kmg]?", re.IGNORECASE),
}


def tmpfs_mounts(host: HostConfig) -> dict[str, str]:
    """Return the options of every tmpfs by its mount point. Raises InvalidParameter."""
    mounts = {mount.Target: mount_options(mount) for mount in host.Mounts if mount.Type == "tmpfs"}
    found = {**host.Tmpfs, **mounts}
    for path, options in found.items():
        if not path.startswith("/"):
            raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")
        if not path.strip("/") or ".." in path.split("/") or "\0" in path:
            raise InvalidParameter(f"invalid specification: destination can't be '{path}'")
        wrong = [option for option in options.split(",") if option and not _is_known(option)]
        if wrong:
            raise InvalidParameter(f"invalid tmpfs option {json.dumps(wrong)}")
    return found


def _is_known(option: str) -> bool:
    name, equals, value = option.partition("=")
    return option in _FLAGS or bool(equals and name in _VALUES and _VALUES[name].fullmatch(value))


def mount_options(mount: Mount) -> str:
    """Write a ``--mount type=tmpfs`` as ``--tmpfs`` does."""
    options = ["ro"] if mount.ReadOnly else []
    asked = mount.TmpfsOptions
    if asked is None:
        return ",".join(options)
    if asked.SizeBytes < 0 or not 0 <= asked.Mode <= 0o7777:
        raise InvalidParameter("invalid mount config: tmpfs size and mode must not be negative")
    if asked.SizeBytes:
        options.append(f"size={asked.SizeBytes}")
    if asked.Mode:
        options.append(f"mode={asked.Mode:o}")
    return ",".join([*options, *("=".join(words) for words in asked.Options)])
