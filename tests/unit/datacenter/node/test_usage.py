from __future__ import annotations

import os

from datacenter.node.usage import file_bytes


def test_files_count_once_and_folders_not_at_all(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(bytes(20))
    (tmp_path / "empty").touch()
    (tmp_path / "name\nwith a line").write_bytes(b"123")
    os.link(tmp_path / "b", tmp_path / "deep" / "b again")
    os.link(tmp_path / "b", tmp_path / "deep" / "b once more")
    assert file_bytes(tmp_path) == 1023
    assert file_bytes(tmp_path / "not there") == 0


def test_more_files_than_one_look_into_the_pipe_shows(tmp_path):
    for number in range(6000):
        (tmp_path / f"{number}").write_bytes(b"12")
    assert file_bytes(tmp_path) == 12000
