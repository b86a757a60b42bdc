"""Version ranges of CloudAPI's clients."""

from __future__ import annotations

import pytest

from datacenter.services.cloudapi.versions import choose


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("*", "9.0.0"),
        ("", "9.0.0"),
        ("~9||~8", "9.0.0"),
        ("~8", "8.0.0"),
        ("~7", "7.3.0"),
        ("~7.2", "7.2.0"),
        ("^7.1", "7.3.0"),
        ("7", "7.3.0"),
        ("7.x", "7.3.0"),
        ("7.0.0", "7.0.0"),
        (">=8.0.0", "9.0.0"),
        ("~6.5 || 7.1.0", "7.1.0"),
        ("~6", None),
        ("~7.4", None),
        ("newest", None),
    ],
)
def test_the_newest_version_in_range_is_chosen(wanted, version):
    assert choose(wanted) == version
