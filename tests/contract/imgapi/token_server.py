"""A token server that a real docker-registry trusts: it signs what its scopes ask for, for bob alone."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from docker_registry import PASSWORD, USER


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class TokenServer:
    def __init__(self, bundle: Path) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.bundle = bundle
        self.scopes: list[str] = []

    def token(self, scopes: list[str]) -> str:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        access = []
        for scope in " ".join(scopes).split():
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": "tokens", "sub": USER, "aud": "registry", "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": str(now), "access": access,
        }  # fmt: skip
        signed = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
        return (signed + b"." + encoded(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))).decode()

    def settings(self, port: int) -> dict:
        """The registry's ``auth`` section."""
        realm = f"http://127.0.0.1:{port}/token"
        return {
            "token": {"realm": realm, "service": "registry", "issuer": "tokens", "rootcertbundle": str(self.bundle)}
        }


@contextmanager
def serve(folder: Path) -> Iterator[tuple[TokenServer, dict]]:
    tokens = TokenServer(folder / "tokens.pem")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            known = self.headers.get("Authorization") == expected
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            tokens.scopes += scopes
            data = json.dumps({"token": tokens.token(scopes)}).encode() if known else b"{}"
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield tokens, tokens.settings(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
