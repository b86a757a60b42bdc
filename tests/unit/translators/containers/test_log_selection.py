from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.errors import InvalidParameter
from translators.containers.log_selection import LogSelection, epoch_seconds, select
from translators.containers.logs import _moment

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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T18:04:52.123456789Z", "1795457092.123456789"),
        ("2026-11-23T19:04:52.123456789+01:00", "1795457092.123456789"),
        ("2026-11-23T18:04:52", "1795457092"),
        ("1795457092.123456789", "1795457092.123456789"),
        ("1970-01-02", "86400"),
        ("-5", "0"),
        ("9" * 400, "253402300799"),
        ("0", None),
        ("", None),
    ],
)
def test_moments_are_read_to_the_nanosecond(text, seconds):
    assert _moment(text, "since") == (Decimal(seconds) if seconds else None)


def test_a_line_is_not_before_its_own_time():
    stamp = "2026-11-23T18:04:52.123456789Z"
    lines = [{"type": "stdout", "data": f"{stamp} x\n"}]
    assert list(select(lines, LogSelection(since=epoch_seconds(stamp)), framed=False)) == [b"x\n"]


@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "1e9", "2026-13-01", "2026-11-23T25:00:00Z", "１"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(InvalidParameter, match='invalid value for "since"'):
        _moment(text, "since")
