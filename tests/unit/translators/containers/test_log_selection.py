from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from translators.containers.log_selection import LogSelection, select

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def line(seconds, text, kind="stdout", base=LONG_AGO):
    stamp = (base + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"type": kind, "data": f"{stamp} {text}\n"}


LINES = [line(n, f"l{n}", "stderr" if n == 2 else "stdout") for n in range(5)]


def chosen(**options):
    return b"".join(select(LINES, LogSelection(**options), framed=False)).decode().split()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["l0", "l1", "l2", "l3", "l4"]),
        ({"tail": 2}, ["l3", "l4"]),
        ({"tail": 0}, []),
        ({"stderr": False}, ["l0", "l1", "l3", "l4"]),
        ({"stdout": False}, ["l2"]),
        ({"since": LONG_AGO.timestamp() + 3}, ["l3", "l4"]),
        ({"until": LONG_AGO.timestamp() + 1}, ["l0", "l1"]),
        ({"tail": 2, "until": LONG_AGO.timestamp() + 3}, ["l2", "l3"]),
    ],
)
def test_lines_are_chosen(options, expected):
    assert chosen(**options) == expected


def test_timestamps_stay_only_when_asked_for():
    assert next(select(LINES, LogSelection(timestamps=True), framed=False)) == b"2020-01-01T00:00:00Z l0\n"


def test_frames_carry_the_length_in_bytes():
    framed = next(select([line(0, "é", "stderr")], LogSelection(), framed=True))
    assert framed == b"\x02\0\0\0\0\0\0\x03" + "é\n".encode()


def test_a_followed_tail_ends_where_the_present_begins():
    later = line(60, "new", base=datetime.now(UTC))
    messages = iter([*LINES, later])
    found = select(messages, LogSelection(tail=1, follow=True), framed=False)
    assert [next(found), next(found)] == [b"l4\n", b"new\n"]


def test_other_messages_are_no_lines():
    assert list(select([{"type": "end", "data": {}}], LogSelection(), framed=False)) == []
