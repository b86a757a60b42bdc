from __future__ import annotations

import pytest

from translators.system.info import _nodes


@pytest.mark.parametrize(
    ("sysinfos", "told"),
    [
        ([], "0"),
        ([{}, {}], "2"),
        ([{"Simulated": True}], "1 (1 simulated)"),
        ([{}, {"Simulated": True}], "2 (1 simulated)"),
    ],
)
def test_simulated_nodes_are_told(sysinfos, told):
    assert _nodes(sysinfos) == told
