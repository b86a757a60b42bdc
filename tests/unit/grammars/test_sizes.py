from __future__ import annotations

import pytest

from grammars.sizes import size_in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("5", 5), ("5b", 5), ("64m", 64 << 20), ("1.5G", 3 << 29), ("2 GiB", 2 << 30), ("1kb", 1024),
     ("", None), ("-1", None), ("much", None), ("1x", None), ("1e3", None), ("\u0661", 1)],
)  # fmt: skip
def test_sizes(text, size):
    assert size_in_bytes(text) == size
