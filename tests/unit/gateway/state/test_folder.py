from __future__ import annotations

import stat

from gateway.state import State


def test_the_records_are_for_the_gateway_s_own_user(tmp_path):
    folder = tmp_path / "gateway"
    folder.mkdir(mode=0o755)
    State(folder).database.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
