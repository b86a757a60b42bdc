from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node import logfile
from datacenter.node.frames import STDERR, STDOUT
from datacenter.node.logfile import Bound, LineMaker, LogFile, tail_offset

NAMES = {STDOUT: "stdout", STDERR: "stderr"}


def record(second, text, kind=STDOUT, flag="F", offset="+00:00"):
    return f"2026-11-23T18:{second // 60:02}:{second % 60:02}.123456789{offset} {NAMES[kind]} {flag} {text}\n".encode()


def made(log, **options):
    """What a maker gives out: one bytes string per stream, and the number of lines."""
    maker = LineMaker(**options)
    runs = [*maker.feed(log), *maker.rest()]
    lines = [line for _, some in runs for line in some]
    return {kind: b"".join(b"".join(some) for k, some in runs if k == kind) for kind in NAMES}, lines


def conmon_log(chunks):
    """The log conmon writes of chunks of output, and what was written on each stream."""
    log, wrote = b"", {STDOUT: b"", STDERR: b""}
    for second, (kind, data) in enumerate(chunks):
        *whole, rest = data.decode().split("\n")
        log += b"".join(record(second, text, kind) for text in whole)
        log += record(second, rest, kind, "P") if rest else b""
        wrote[kind] += data
    return log, wrote


chunks = st.lists(
    st.tuples(st.sampled_from([STDOUT, STDERR]), st.text("ab \n", min_size=1, max_size=12).map(str.encode)), max_size=20
)


@given(chunks)
def test_the_output_comes_back_byte_for_byte(some):
    log, wrote = conmon_log(some)
    assert made(log)[0] == wrote


@given(chunks)
def test_every_item_but_the_last_of_a_stream_is_one_whole_line(some):
    log, wrote = conmon_log(some)
    _, lines = made(log)
    assert sum(line.endswith(b"\n") for line in lines) == sum(data.count(b"\n") for data in wrote.values())
    assert all(line.count(b"\n") <= 1 for line in lines)


def test_a_line_in_parts_has_one_timestamp():
    log = record(1, "par", flag="P") + record(2, "err", STDERR) + record(3, "tial")
    out, lines = made(log, timestamps=True)
    assert out[STDOUT] == b"2026-11-23T18:00:01.123456789Z partial\n"
    assert out[STDERR] == b"2026-11-23T18:00:02.123456789Z err\n"
    assert len(lines) == 2


def test_an_endless_line_comes_in_parts():
    log = b"".join(record(1, "x" * 8192, flag="P") for _ in range(5))
    out, lines = made(log, timestamps=True)
    assert out[STDOUT] == b"2026-11-23T18:00:01.123456789Z " + b"x" * 5 * 8192
    assert max(map(len, lines)) < logfile.PARTIAL_MAX + 8192 + 40


def test_streams_are_chosen():
    log = record(1, "out") + record(2, "err", STDERR)
    assert made(log, wanted=frozenset([STDERR]))[0] == {STDOUT: b"", STDERR: b"err\n"}


EPOCH = 1795456800  # 2026-11-23T18:00:00Z


@pytest.mark.parametrize(
    ("since", "until", "seconds"),
    [
        (None, None, [0, 1, 2, 3]),
        ("1.123456789", None, [1, 2, 3]),
        ("1.123456790", None, [2, 3]),
        (None, "2.123456789", [0, 1, 2]),
        (None, "2.123456788", [0, 1]),
        ("1", "2.5", [1, 2]),
        ("9", None, []),
    ],
)
def test_bounds_include_their_moment(since, until, seconds):
    log = b"".join(record(second, str(second)) for second in range(4))

    def bound(text):
        whole, _, rest = (text or "").partition(".")
        return Bound(f"{EPOCH + int(whole)}.{rest or 0}") if text else None

    out, _ = made(log, since=bound(since), until=bound(until))
    assert out[STDOUT].split() == [str(second).encode() for second in seconds]


def test_a_record_after_until_ends_the_reading():
    maker = LineMaker(until=Bound(str(EPOCH)))
    assert list(maker.feed(record(5, "late"))) == []
    assert maker.past


@pytest.mark.parametrize("text", ["x", "1e400", "nan", "99999999999999999999"])
def test_bounds_that_are_no_moment(text):
    with pytest.raises(ValueError):
        Bound(text)


@pytest.mark.parametrize(
    ("offset", "stamp"),
    [("+02:00", b"2026-11-23T16:00:01.123456789Z"), ("-05:30", b"2026-11-23T23:30:01.123456789Z")],
)
def test_other_time_zones_are_told_in_utc(offset, stamp):
    out, _ = made(record(1, "x", offset=offset), timestamps=True)
    assert out[STDOUT] == stamp + b" x\n"


def test_broken_records_are_left_out():
    assert made(record(1, "a") + b"half a rec\n" + b"\n" + record(2, "b"))[0][STDOUT] == b"a\nb\n"


@pytest.mark.parametrize("block", [1, 7, 64, 4096])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (0, b""),
        (1, b"tail"),
        (2, b"long\ntail"),
        (3, b"b\nlong\ntail"),
        (4, b"a\nb\nlong\ntail"),
        (99, b"a\nb\nlong\ntail"),
    ],
)
def test_tail(monkeypatch, block, lines, expected):
    monkeypatch.setattr(logfile, "TAIL_BLOCK", block)
    log = record(1, "a") + record(2, "b") + record(3, "lo", flag="P") + record(3, "ng") + record(4, "tail", flag="P")
    file = LogFile(io.BytesIO(log))
    assert file.seek_tail(lines) == max(0, lines - 4)
    assert made(b"".join(file.blocks()))[0][STDOUT] == expected


def test_tail_of_nothing():
    assert tail_offset(io.BytesIO(b""), 5) == (0, 5)


def test_a_record_being_written_waits():
    file = io.BytesIO(record(1, "a") + b"2026-11-23T18")
    log = LogFile(file)
    assert list(log.blocks()) == [record(1, "a")]
    at = file.tell()
    file.write(record(2, "b")[13:])
    file.seek(at)
    assert list(log.blocks()) == [record(2, "b")]


def test_an_end_is_kept_to():
    log = LogFile(io.BytesIO(record(1, "a") + record(2, "b")))
    assert list(log.blocks(end=len(record(1, "a")))) == [record(1, "a")]
    assert list(log.blocks()) == [record(2, "b")]


@pytest.mark.parametrize("second", [0, 1, 50, 99, 100])
def test_seeking_a_moment_skips_no_record_of_it(monkeypatch, second):
    monkeypatch.setattr(logfile, "TAIL_BLOCK", 200)
    monkeypatch.setattr(logfile, "BLOCK", 300)
    log = LogFile(io.BytesIO(b"".join(record(at, f"line{at}") for at in range(100))))
    since = Bound(f"{EPOCH + second}.0")
    log.seek_since(since)
    data = b"".join(log.blocks())
    out, _ = made(data, since=since)
    assert out[STDOUT].split() == [b"line%d" % at for at in range(second, 100)]
    assert len(data) <= 800 + 60 * (100 - second)
