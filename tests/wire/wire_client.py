"""A blocking HTTP client that shows every byte: what Docker's clients do, and what they should not."""

from __future__ import annotations

import datetime as dt
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL


def make_identity(folder: Path, name: str = "client") -> tuple[Path, Path]:
    """A client certificate that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@dataclass
class Reply:
    status: int
    line: str
    headers: dict[str, str]
    body: bytes = b""


class Client:
    """One connection. ``recv`` returns b"" only at a proper end; a cut connection raises."""

    def __init__(self, sock: socket.socket, tls: SSL.Connection | None = None) -> None:
        self.sock = sock
        self.tls = tls
        self.rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        (self.tls or self.sock).sendall(data)

    def recv(self, size: int = 65536) -> bytes:
        if self.rest:
            data, self.rest = self.rest[:size], self.rest[size:]
            return data
        if self.tls is None:
            return self.sock.recv(size)
        try:
            return self.tls.recv(size)
        except SSL.ZeroReturnError:
            return b""

    def read_to_end(self) -> bytes:
        pieces = []
        while data := self.recv(1 << 20):
            pieces.append(data)
        return b"".join(pieces)

    def half_close(self) -> None:
        if self.tls is None:
            self.sock.shutdown(socket.SHUT_WR)
        else:
            self.tls.shutdown()

    def close(self) -> None:
        if self.sock.fileno() < 0:
            return
        if self.tls is not None:
            try:
                self.tls.shutdown()
            except SSL.Error:
                pass
        self.sock.close()

    def read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            more = self.recv()
            if not more:
                raise EOFError(data)
            data += more
        found, self.rest = data.split(mark, 1)[0], data.split(mark, 1)[1] + self.rest
        return found

    def read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.recv(size - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def read_head(self) -> Reply:
        line, *lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for entry in lines:
            name, value = entry.split(": ", 1)
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        return Reply(int(line.split()[1]), line, headers)

    def read_chunk(self) -> bytes:
        size = int(self.read_until(b"\r\n"), 16)
        data = self.read_exactly(size)
        assert self.read_exactly(2) == b"\r\n"
        return data

    def read_reply(self, method: str = "GET") -> Reply:
        reply = self.read_head()
        if method == "HEAD" or reply.status in {204, 304}:
            return reply
        if reply.headers.get("transfer-encoding") == "chunked":
            while chunk := self.read_chunk():
                reply.body += chunk
        elif "content-length" in reply.headers:
            reply.body = self.read_exactly(int(reply.headers["content-length"]))
        else:
            reply.body = self.read_to_end()
        return reply

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        early: bytes = b"",
    ) -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\n"
        given = dict(headers or {})
        if body and "Transfer-Encoding" not in given:
            given.setdefault("Content-Length", str(len(body)))
        head += "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.send(head.encode() + b"\r\n" + body + early)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        self.ask(method, path, headers, body)
        return self.read_reply(method)

    def get(self, path: str) -> Reply:
        return self.request("GET", path)


def client_context(version: int | None = None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    return context


@dataclass
class Live:
    """A running server."""

    folder: Path
    tls_port: int
    unix_path: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[Path, Path]:
        return self.folder / "client.pem", self.folder / "client-key.pem"

    def tcp(self) -> Client:
        sock = socket.create_connection(("127.0.0.1", self.tls_port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
        return Client(sock)

    def tls(
        self,
        version: int | None = None,
        identity: tuple[Path, Path] | None = None,
        context: SSL.Context | None = None,
        session: SSL.Session | None = None,
    ) -> Client:
        client = self.tcp()
        client.tls = SSL.Connection(context or client_context(version), client.sock)
        client.tls.set_connect_state()
        client.tls.set_alpn_protos([b"http/1.1"])
        if identity is not None:
            client.tls.use_certificate(x509.load_pem_x509_certificate(identity[0].read_bytes()))
            client.tls.use_privatekey(serialization.load_pem_private_key(identity[1].read_bytes(), None))
        if session is not None:
            client.tls.set_session(session)
        client.tls.do_handshake()
        return client

    def unix(self) -> Client:
        sock = socket.socket(socket.AF_UNIX)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
        sock.connect(self.unix_path)
        return Client(sock)
