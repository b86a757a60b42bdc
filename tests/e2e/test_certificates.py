"""Certificates as Triton's other tools make them, shown by the real docker client."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.e2e.conftest import Docker

pytestmark = pytest.mark.docker

JOYENT_DOCKER = x509.ObjectIdentifier("1.3.6.1.4.1.38678.1.4.1")
YEARS = dt.timedelta(days=3650)


def md5(public: rsa.RSAPublicKey) -> str:
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.md5(base64.b64decode(line.split()[1]), usedforsecurity=False).digest()
    return "MD5:" + base64.b64encode(digest).decode().rstrip("=")


def make(folder: Path, login: str, signer, *, issuer: str, ends: dt.timedelta = YEARS, key=None) -> None:
    """Write key.pem and cert.pem as ``triton profile docker-setup`` does: a fresh key, signed by the account's."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, JOYENT_DOCKER, ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name(login))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(ends, dt.timedelta()) - dt.timedelta(days=1))
        .not_valid_after(now + ends)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(login)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="module")
def alices_key(running) -> rsa.RSAPrivateKey:
    pem = (running.instance.folder / "id_rsa").read_bytes()
    return serialization.load_pem_private_key(pem, None)


@pytest.fixture
def client(running, docker, tmp_path) -> Docker:
    shutil.copy(docker.certs / "ca.pem", tmp_path)
    return Docker(running.instance.docker_url, tmp_path)


def test_a_certificate_of_triton_profile_docker_setup(client, alices_key):
    make(client.certs, "alice", alices_key, issuer=md5(alices_key.public_key()))
    assert "SDCAccount: alice" in client.ok("info")


def test_an_expired_one_is_told_so(client, alices_key):
    make(client.certs, "alice", alices_key, issuer=md5(alices_key.public_key()), ends=-dt.timedelta(hours=1))
    assert b"Client certificate expired" in client("ps").stderr


def test_nobody_becomes_another_account(running, client, alices_key):
    running.account("mallory")
    mine = running.instance.folder / "mallory-key"
    pem = client.certs / "mallory.pem"
    shutil.copy(mine, pem)
    subprocess.run(["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", str(pem)], check=True)
    key = serialization.load_pem_private_key(pem.read_bytes(), None)
    for issuer, own in ((md5(alices_key.public_key()), None), ("alice", key)):
        make(client.certs, "alice", key, issuer=issuer, key=own)
        assert b"Unauthorized" in client("ps").stderr
