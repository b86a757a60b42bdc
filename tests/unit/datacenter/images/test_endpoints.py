from __future__ import annotations

import pytest

from datacenter.images.endpoints import Endpoint, endpoints, is_insecure

LOCAL = ("127.0.0.0/8", "localhost", "::1/128", "reg.lan:5000", "10.1.2.3")


@pytest.mark.parametrize(
    ("index", "insecure"),
    [
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("localhost:5443", True),
        ("[::1]:5000", True),
        ("reg.lan:5000", True),
        ("reg.lan:5001", False),
        ("reg.lan", False),
        ("10.1.2.3:80", True),
        ("10.1.2.4", False),
        ("quay.io", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
    ],
)
def test_which_are_insecure(index: str, insecure: bool) -> None:
    assert is_insecure(index, LOCAL) is insecure


def test_order() -> None:
    assert endpoints("quay.io", LOCAL, ("http://mirror",)) == [Endpoint("https://quay.io")]
    assert endpoints("localhost:5", LOCAL, ()) == [
        Endpoint("https://localhost:5", insecure=True),
        Endpoint("http://localhost:5", insecure=True),
    ]
    assert endpoints("docker.io", LOCAL, ("http://m1/", "https://m2")) == [
        Endpoint("http://m1", insecure=True, mirror=True),
        Endpoint("https://m2", mirror=True),
        Endpoint("https://registry-1.docker.io"),
    ]
