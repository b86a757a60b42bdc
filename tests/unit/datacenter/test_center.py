"""The whole data center in one process."""

from __future__ import annotations

import pytest

from datacenter.center import DataCenter
from datacenter.settings import DcSettings
from datacenter.store import Store


@pytest.fixture(scope="module")
def dc(tmp_path_factory):
    return DataCenter(DcSettings(state=tmp_path_factory.mktemp("dc")), Store(":memory:"))


@pytest.mark.parametrize(
    ("service", "path"),
    [(name, "/ping") for name in ("vmapi", "wfapi", "cnapi", "imgapi", "napi", "papi", "fwapi", "mahi", "cns")]
    + [("cloudapi", "/--ping")],
)
def test_every_service_is_alive(dc, service, path):
    answer = getattr(dc, service).app.test_client().get(path)
    assert answer.status_code in {200, 204}


def test_a_data_center_finds_its_records_again(tmp_path):
    settings = DcSettings(state=tmp_path)
    first = DataCenter(settings)
    admin = first.mahi.admin_uuid
    first.store.close()
    second = DataCenter(settings)
    assert second.mahi.admin_uuid == admin
    assert second.papi.search({}) == first.papi.search({})
    second.store.close()
