from __future__ import annotations

import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.wire.certificate import ensure_server_certificate


@pytest.fixture
def pair(tmp_path):
    return tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem"


def names(path) -> tuple[list[str], list[str]]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return san.get_values_for_type(x509.DNSName), [str(ip) for ip in san.get_values_for_type(x509.IPAddress)]


def test_the_key_is_the_servers_alone_and_the_names_are_covered(pair):
    ensure_server_certificate(*pair, ["docker.example.com", "10.1.2.3"])
    assert stat.S_IMODE(pair[1].stat().st_mode) == 0o600
    dns, addresses = names(pair[0])
    assert {"localhost", "docker.example.com"} <= set(dns)
    assert {"127.0.0.1", "::1", "10.1.2.3"} <= set(addresses)
    assert x509.load_pem_x509_certificate(pair[0].read_bytes()).subject.rfc4514_string() == "CN=*.triton"


def test_clients_may_use_it_as_its_own_authority(pair):
    """As Go and OpenSSL check it: in strict mode, by name and by address."""
    ensure_server_certificate(*pair)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*pair)
    client = ssl.create_default_context(cafile=str(pair[0]))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("localhost", "127.0.0.1"):
        ends = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(1)][0]
        there, back = ends
        one = client.wrap_bio(back, there, server_hostname=name)
        two = server.wrap_bio(there, back, server_side=True)
        for _ in range(4):
            for side in (one, two):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
        assert one.getpeercert()["subject"] == ((("commonName", "*.triton"),),)


def test_it_is_kept_while_it_serves_and_renewed_for_a_new_name(pair):
    ensure_server_certificate(*pair)
    first = [path.read_bytes() for path in pair]
    ensure_server_certificate(*pair)
    assert [path.read_bytes() for path in pair] == first
    ensure_server_certificate(*pair, ["new.example.com"])
    assert "new.example.com" in names(pair[0])[0]


def test_a_key_that_went_missing_or_astray_makes_a_new_pair(pair, tmp_path):
    ensure_server_certificate(*pair)
    other = tmp_path / "cert2.pem", tmp_path / "key2.pem"
    ensure_server_certificate(*other)
    pair[1].write_bytes(other[1].read_bytes())
    ensure_server_certificate(*pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)


def test_an_operators_certificate_is_never_touched(pair, operators_certificate):
    pair[0].parent.mkdir()
    pair[0].write_bytes(operators_certificate.public_bytes(Encoding.PEM))
    ensure_server_certificate(*pair, ["not.in.it"])
    assert pair[0].read_bytes() == operators_certificate.public_bytes(Encoding.PEM)
    assert not pair[1].exists()


@pytest.fixture
def operators_certificate():
    import datetime as dt

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=docker.example.com")
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now - dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
