"""An agent that dies in the middle of a file leaves the one before, and nothing that is taken for a file."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from datacenter.node import filters as filters_module
from datacenter.node.filters import Filters
from datacenter.node.home import Home
from datacenter.node.layers import Layers, folder_name
from datacenter.node.whole import write_whole
from datacenter.settings import DcSettings

IMAGE = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f01"


class Killed(BaseException):
    """The end of the agent."""


@contextmanager
def dying():
    """Let every file that is written in the block be written half, and then be killed."""

    def half(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "write_bytes", half)
        patch.setattr(Path, "write_text", lambda path, text: half(path, text.encode()))
        yield


def test_the_file_before_stays_until_the_next_is_whole(tmp_path):
    path = tmp_path / "zone.json"
    write_whole(path, b"before")
    with dying():
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    write_whole(path, b"after")
    assert [entry.name for entry in tmp_path.iterdir()] == ["zone.json"]


def test_a_node_keeps_its_identity_or_has_none_yet(tmp_path):
    home = Home.__new__(Home)
    home.real = tmp_path
    with dying():
        home.server_uuid()
    assert len(home.server_uuid()) == 36


@pytest.fixture
def filters(tmp_path):
    """Make the filters of a new agent, where a container ``vm`` was just made."""
    state = tmp_path / "runtime" / "vm"
    state.mkdir(parents=True)
    (state / "seccomp.bpf").write_bytes(b"12345678" * 10)
    home = SimpleNamespace(root=tmp_path, runtime_state=tmp_path / "runtime")
    return lambda: Filters(home, SimpleNamespace(program="/bin/true"))


def test_half_a_seccomp_filter_is_never_used(filters):
    config = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}}
    with dying():
        filters().learn("vm", config)
    later = filters()
    later.use(config)
    assert "annotations" not in config
    later.learn("vm", config)
    filters().use(config)
    assert config["annotations"]


def test_filters_are_kept_up_to_a_number_and_as_far_as_there_is_room(filters, monkeypatch):
    monkeypatch.setattr(filters_module, "MOST", 2)
    configs = [{"linux": {"seccomp": {"syscalls": number}}} for number in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(filters_module, "write_whole", refuse)
        filters().learn("vm", configs[3])
    for config in configs:
        filters().learn("vm", config)
    for config in configs:
        filters().use(config)
    assert ["annotations" in config for config in configs] == [True, True, False, False]


def refuse(path, _data):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_what_was_being_fetched_or_unpacked_is_cleared_away(tmp_path):
    name = folder_name(IMAGE)
    (tmp_path / name).mkdir()
    (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode({"uuid": IMAGE}))
    (tmp_path / "other.partial" / "etc").mkdir(parents=True)
    for left in ("other.file", "other.json.new"):
        (tmp_path / left).touch()
    layers = Layers(SimpleNamespace(layers=tmp_path, settings=DcSettings(state=tmp_path)))
    layers.discard_unfinished()
    assert {entry.name for entry in tmp_path.iterdir()} == {name, f"{name}.json"}
    assert layers.ensure(IMAGE) == [name]
