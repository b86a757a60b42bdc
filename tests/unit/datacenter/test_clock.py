from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from datacenter.clock import epoch, iso


@given(st.floats(0, 4e9))
def test_times_are_written_as_datetime_writes_them(seconds):
    written = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    assert iso(seconds) == written.replace("+00:00", "Z")
    assert abs(epoch(iso(seconds)) - seconds) < 0.002
