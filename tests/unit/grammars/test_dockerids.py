from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars import dockerids

UUID = "4a1bc3d4-0001-4002-8003-00112233aabb"
BUSYBOX = [
    "sha256:d776b9129f847b04e428a4b68d4e2c1b92082659d1b6b0550328d720bfa0ba66",
    "sha256:0903e1623ba8e065528a1221a0e649ec50c7444c6daa592cfb552ef3857eaedb",
]


@given(st.uuids())
def test_a_container_id_leads_back_to_its_machine(value: uuid.UUID) -> None:
    docker_id = dockerids.new_docker_id(str(value))
    assert len(docker_id) == 64
    assert dockerids.vm_uuid(docker_id) == str(value)
    assert dockerids.vm_uuid(docker_id[:32]) == str(value)


@given(st.integers(0, 64))
def test_a_prefix_of_the_id_is_a_prefix_of_the_uuid(length: int) -> None:
    docker_id = dockerids.new_docker_id(UUID)
    assert UUID.startswith(dockerids.dashed(docker_id[:length]))


def test_container_ids_differ_each_time() -> None:
    assert dockerids.new_docker_id(UUID) != dockerids.new_docker_id(UUID)


@pytest.mark.parametrize("text", ["", "4a1b", "g" * 64, "A" * 64, UUID])
def test_what_is_no_container_id(text: str) -> None:
    with pytest.raises(ValueError, match="not a docker id"):
        dockerids.vm_uuid(text)


def test_network_ids() -> None:
    docker_id = dockerids.network_docker_id(UUID)
    assert len(docker_id) == 64
    assert dockerids.network_uuid(docker_id) == UUID
    assert dockerids.network_uuid(dockerids.new_docker_id(UUID)) is None
    assert dockerids.network_uuid(docker_id[:32]) is None


@pytest.mark.parametrize("text", ["sha256:0123456789abcdef", "0123456789abcdef", "0123456789ab"])
def test_short(text: str) -> None:
    assert dockerids.short(text) == "0123456789ab"


def test_layer_uuids_are_those_of_a_real_imgapi() -> None:
    """Taken from a real IMGAPI's answer to a pull of this two-layer image."""
    assert dockerids.layer_uuid(BUSYBOX) == "46b5e841-c6fc-83e1-3d55-359d639bbb46"
    assert dockerids.layer_uuids(BUSYBOX) == [dockerids.layer_uuid(BUSYBOX[:1]), dockerids.layer_uuid(BUSYBOX)]
    scratch = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
    assert dockerids.layer_uuid([scratch]) == "b4a96f09-026d-7abb-7aa3-bc2cfa5c5826"
