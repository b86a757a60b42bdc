"""Settings of every test: on a machine that others use, slowness is no fault."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

REAL = {"node", "docker", "npm"}
"""Marks of tests that drive real containers and clients, which share the machine with everything else on it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run again what failed beside real containers; what has everything in its own hands must pass at once."""
    for item in items:
        if any(item.get_closest_marker(mark) for mark in REAL):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


@pytest.fixture(autouse=True, scope="module")
def _books_are_let_go() -> Iterator[None]:
    """Let go of what translators keep of each data center, for as long as a worker lives: each test has its own.

    With them go databases and connections; a whole run would have thousands of them open in the end.
    """
    yield
    for name in [name for name in sys.modules if name.startswith("translators.")]:
        for kept in vars(sys.modules[name]).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()
