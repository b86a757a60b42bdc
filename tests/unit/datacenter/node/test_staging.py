"""Places that a runtime takes mounts from: each is one container's alone, for ever."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from datacenter.node import staging, syscalls


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Stage a path with a staging of its own, as each agent has one; nothing is mounted."""
    mounted = []
    monkeypatch.setattr(syscalls, "mount", lambda source, target, **_: mounted.append(target))

    def unmount(target):
        if target not in mounted:
            raise OSError
        mounted.remove(target)

    monkeypatch.setattr(syscalls, "unmount", unmount)
    folder = tmp_path / "staging"
    folder.mkdir()

    def stage(path, stack):
        fd = os.open(path, os.O_PATH)
        try:
            return staging.Staging(folder).stage(fd, stack)
        finally:
            os.close(fd)

    stage.folder, stage.mounted = folder, mounted
    return stage


def test_no_place_is_used_twice_whatever_agent_comes(stage, tmp_path):
    seen = []
    for _ in range(3):
        with ExitStack() as stack:
            place = stage(tmp_path, stack)
            assert (place.is_dir(), stage.mounted) == (True, [place])
            seen.append(place)
        assert (stage.mounted, list(stage.folder.iterdir())) == ([], [])
    assert len(set(seen)) == 3


def test_a_file_has_a_file_for_its_place(stage, tmp_path):
    (tmp_path / "file").touch()
    with ExitStack() as stack:
        assert stage(tmp_path / "file", stack).is_file()
    assert list(stage.folder.iterdir()) == []


def test_what_is_deleted_meanwhile_leaves_no_place(stage, tmp_path, monkeypatch):
    def gone(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(syscalls, "mount", gone)
    with ExitStack() as stack, pytest.raises(FileNotFoundError):
        stage(tmp_path, stack)
    assert list(stage.folder.iterdir()) == []


def test_what_is_still_mounted_keeps_what_is_in_it(stage):
    (stage.folder / "left").mkdir()
    (stage.folder / "left" / "precious").touch()
    staging.Staging(stage.folder).sweep()
    assert (stage.folder / "left" / "precious").exists()
