from __future__ import annotations

import pytest

from gateway.errors import NotImplementedHere
from translators.platforms import ARCHITECTURE, check_platform


@pytest.mark.parametrize("asked", ["", "linux", f"linux/{ARCHITECTURE}", f"linux/{ARCHITECTURE}/v8"])
def test_the_machines_own_platform_may_be_asked_for(asked):
    check_platform(asked)


@pytest.mark.parametrize("asked", ["windows", "windows/amd64", "linux/s390x", f"freebsd/{ARCHITECTURE}"])
def test_another_platform_is_refused_by_name(asked):
    with pytest.raises(NotImplementedHere, match=f"platform {asked} is not available"):
        check_platform(asked)
