from __future__ import annotations

import pytest

from sdc.registry import is_insecure

LISTED = ("127.0.0.0/8", "localhost", "reg.example:5000")


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("localhost:5000", True),
        ("reg.example:5000", True),
        ("reg.example:5001", False),
        ("10.0.0.1:5000", False),
        ("registry-1.docker.io", False),
    ],
)
def test_only_listed_registries_are_spoken_to_plainly(host, insecure):
    assert is_insecure(host, LISTED) is insecure
