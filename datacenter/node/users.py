"""Who a container's process runs as: Docker's ``user[:group]`` looked up in the container's own files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datacenter.node.plainfile import read_plain
from datacenter.node.rootpath import resolve
from datacenter.node.tasks import TaskError

MAX_ID = (1 << 31) - 1


@dataclass(frozen=True)
class User:
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def find_user(root: Path, text: str, extra_groups: tuple[str, ...] = ()) -> User:
    """Look up ``name``, ``uid``, ``name:group`` or ``uid:gid``; "" is root.

    A number needs no entry. Supplementary groups are those naming the user, unless a group is given.
    Raises TaskError InitFailed with Docker's sentence for an unknown user or group.
    """
    name, _, group = text.partition(":")
    groups = list(_groups(root))
    uid, gid, home, login = _account(root, name or "0")
    supplementary: list[int] = []
    if group:
        gid = _group_id(groups, group, "unable to find group {}: no matching entries in group file")
    elif login:
        supplementary = [number for _, number, members in groups if login in members]
    missing = "unable to find supplementary group {}: no matching entries in group file"
    supplementary += [_group_id(groups, extra, missing) for extra in extra_groups]
    return User(uid, gid, tuple(dict.fromkeys([gid, *supplementary])), home)


def _account(root: Path, name: str) -> tuple[int, int, str, str | None]:
    """uid, primary gid, home and login name; the login is None when the file has no such entry."""
    for fields in _lines(root, "etc/passwd"):
        if len(fields) >= 4 and name in {fields[0], fields[2]} and _is_id(fields[2]) and _is_id(fields[3]):
            home = fields[5] if len(fields) > 5 and fields[5] else "/"
            return int(fields[2]), int(fields[3]), home, fields[0]
    if _is_id(name):
        return int(name), 0, "/root" if name == "0" else "/", None
    raise TaskError("InitFailed", f"unable to find user {name}: no matching entries in passwd file")


def _group_id(groups: list[tuple[str, int, list[str]]], wanted: str, missing: str) -> int:
    for name, number, _ in groups:
        if wanted in {name, str(number)}:
            return number
    if _is_id(wanted):
        return int(wanted)
    raise TaskError("InitFailed", missing.format(wanted))


def _groups(root: Path) -> Iterator[tuple[str, int, list[str]]]:
    for fields in _lines(root, "etc/group"):
        if len(fields) >= 3 and _is_id(fields[2]):
            yield fields[0], int(fields[2]), fields[3].split(",") if len(fields) > 3 else []


def _lines(root: Path, name: str) -> Iterator[list[str]]:
    try:
        text = read_plain(resolve(root, name)).decode(errors="replace")
    except OSError:
        return  # an image need not have the file
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= MAX_ID
