"""The data center in memory of the containers' tests, with fabrics that can be changed."""

from __future__ import annotations

import pytest

from tests.unit.translators.containers.conftest import _no_feed
from tests.unit.translators.containers.conftest import world as plain_world
from tests.unit.translators.networks.fabrics import FakeFabrics

__all__ = ["_no_feed", "plain_world"]


@pytest.fixture
def world(plain_world):
    plain_world.napi = plain_world.services.napi = FakeFabrics(plain_world.vmapi)
    return plain_world
