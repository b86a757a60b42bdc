"""The data center in memory of the containers' tests."""

from __future__ import annotations

from tests.unit.translators.containers.conftest import _no_feed, world

__all__ = ["_no_feed", "world"]
