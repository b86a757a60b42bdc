"""The files of a log that conmon begins anew, and who reads on through them."""

from __future__ import annotations

import pytest

from datacenter.node.logfile import LogFile
from datacenter.node.logfiles import LogReader, everything, from_tail, open_files, turn


class Log:
    """Writes as conmon does: a full file is replaced by an empty one."""

    def __init__(self, folder, most: int) -> None:
        self.path = folder / "stdio.log"
        self._most = most
        self.path.touch()
        turn(self.path, most)

    def write(self, *lines: str) -> None:
        with self.path.open("a") as file:
            for line in lines:
                file.write(f"2026-11-23T18:00:00.000000000+00:00 stdout F {line}\n")

    def replace(self) -> None:
        fresh = self.path.with_name("stdio.log.tmp")
        fresh.touch()
        fresh.rename(self.path)

    def anew(self) -> None:
        self.replace()
        turn(self.path, self._most)


def read(reader: LogReader) -> list[str]:
    records = b"".join(reader.blocks()).splitlines()
    return [record[45:].decode() for record in records]


@pytest.fixture
def log(tmp_path):
    """Three files: a b | c d | e."""
    log = Log(tmp_path, most=3)
    log.write("a", "b")
    log.anew()
    log.write("c", "d")
    log.anew()
    log.write("e")
    return log


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (everything, "abcde"),
        (from_tail(0), ""),
        (from_tail(1), "e"),
        (from_tail(2), "de"),
        (from_tail(3), "cde"),
        (from_tail(4), "bcde"),
        (from_tail(9), "abcde"),
    ],
)
def test_reading_begins_in_earlier_files(log, begin, expected):
    assert "".join(read(LogReader(log.path, begin))) == expected


def test_no_more_files_are_kept_than_asked_for(log):
    log.anew()
    log.write("f")
    log.anew()
    log.write("g")
    assert "".join(read(LogReader(log.path))) == "efg"
    assert sorted(path.name for path in log.path.parent.iterdir()) == [
        "stdio.log",
        "stdio.log.0",
        "stdio.log.1",
        "stdio.log.2",
    ]


def test_a_file_that_is_just_being_begun_is_none_yet(log):
    log.path.with_name("stdio.log.tmp").touch()
    assert "".join(read(LogReader(log.path))) == "abcde"


def test_one_file_needs_no_second_name(tmp_path):
    log = Log(tmp_path, most=1)
    log.write("a")
    log.anew()
    log.write("b")
    assert "".join(read(LogReader(log.path))) == "b"


def test_turning_twice_changes_nothing(log):
    turn(log.path, 3)
    assert "".join(read(LogReader(log.path))) == "abcde"


def test_a_reader_goes_on_through_the_changes(log):
    reader = LogReader(log.path, from_tail(1))
    assert read(reader) == ["e"]
    log.write("f")
    log.anew()
    log.write("g")
    log.anew()
    assert read(reader) == ["f"]  # the file of g was not seen: nobody read between two changes
    log.write("h")
    assert read(reader) == ["h"]
    reader.close()


def test_a_reader_may_begin_before_the_log(tmp_path):
    path = tmp_path / "stdio.log"
    reader = LogReader(path)
    assert read(reader) == []
    assert reader.place() == (0, 0)
    Log(tmp_path, most=1).write("a")
    assert read(reader) == ["a"]
    assert reader.place() == (path.stat().st_ino, path.stat().st_size)
    reader.close()


def test_a_file_that_ages_while_files_are_opened_is_read_once(log, monkeypatch):
    opened = LogFile.inode.fget

    def inode(self):
        monkeypatch.setattr(LogFile, "inode", property(opened))
        log.anew()  # right after the first was opened: all others are one older now
        return opened(self)

    monkeypatch.setattr(LogFile, "inode", property(inode))
    files = open_files(log.path)
    assert len({file.inode for file in files}) == len(files)
    for file in files:
        file.close()
