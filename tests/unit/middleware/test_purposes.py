"""Purposes are found in certificates of every maker, the sloppy ones too."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.certificates import DOCKER_PURPOSE, read_claim
from middleware.purposes import purposes

CLIENT_AUTH = bytes.fromhex("2b06010505070302")
BY_TRITON = """
MIICUTCCATmgAwIBAgIJAO9Tu6jBRdWoMA0GCSqGSIb3DQEBCwUAMCUxIzAhBgNVBAMTGk1ENTpL
bDQyQTFmTFVsV3JMZVF1OC82RUpBMB4XDTI2MTEyMzE5NTE1NloXDTM2MTEyMDE5NTE1NlowEDEO
MAwGA1UEAxMFdGlsZGEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASis3w7r9vZs7IeOUGturSU
FqKjbvsw1NeRdqvxqeTVhUCB+aLUCRqRLhA93Zsm/gPe0r+jga2vmVle0lAeCgkLo2QwYjAPBgNV
HRMBAf8EBTADAQEAMA4GA1UdDwEB/wQEAwIBiDAtBgNVHSUBAf8EIzAhBggrBgEFBQcDAgYLKwYB
BAGCrhYBBAEGCCsGAQUFBwMBMBAGA1UdEQQJMAeCBXRpbGRhMA0GCSqGSIb3DQEBCwUAA4IBAQCu
OT6scbXOeDniYOGaObCOn+xr3eFSby45lDR0Sv+UGUYRIx4EnFzs5yosTWTaPEgMfHXzYUih3VKA
3BMnTY5FVzDj/tQednsP/PXzr8LpupbBkTPWzJzq/WJ5EL+vlR1bN9eKXvUn34tnWfZfbhQbIyES
XQEfQE0TI8QUnm+MnLZg0rhxXkCCDhsvEeO8Ik7yBDc3wwQCxUAGuDRK/EKYOdtSqBc1yXu2H/yA
aV+owmzyBuz6XqlVXp7KDLLBy7bgjRXjrV01kES0wsobpkY3vVjaUS5DYOAz9oNaYT93BVmMr3Rb
sYHapBbSpUaxVnQAk4JEiYni/3EMEx4rEnIe
"""
"""What ``triton profile docker-setup`` made: its basic constraints spell out the default, which DER forbids."""


def test_a_certificate_of_triton_is_read() -> None:
    claim = read_claim(base64.b64decode(BY_TRITON))
    assert (claim.name, claim.docker_purpose) == ("tilda", True)
    assert claim.fingerprint == "MD5:2a:5e:36:03:57:cb:52:55:ab:2d:e4:2e:f3:fe:84:24"
    assert {CLIENT_AUTH, DOCKER_PURPOSE} <= purposes(claim.certificate.tbs_certificate_bytes)


@given(st.binary(max_size=60))
def test_nonsense_is_refused_or_empty(data: bytes) -> None:
    try:
        assert purposes(data) == frozenset()
    except ValueError:
        pass


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_what_is_cut_off_is_refused(cut: int) -> None:
    tbs = read_claim(base64.b64decode(BY_TRITON)).certificate.tbs_certificate_bytes
    with pytest.raises(ValueError, match="longer"):
        purposes(tbs[:-cut])
