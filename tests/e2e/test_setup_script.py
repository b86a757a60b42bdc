"""The setup script against a real CloudAPI and a TLS endpoint: every kind of key, and what goes wrong."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from werkzeug.serving import WSGIRequestHandler, make_server

from datacenter.center import DataCenter
from datacenter.settings import DcSettings
from datacenter.store import Store

SCRIPT = Path(__file__).parents[2] / "tools" / "sdc-docker-setup.sh"
TOOLS = [tool for tool in ("curl", "openssl", "ssh-keygen") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(TOOLS), reason=f"not installed: {', '.join(TOOLS)}")

KEY_KINDS = {
    "rsa-pem": ["-t", "rsa", "-b", "2048", "-m", "PEM"],
    "rsa-pkcs8": ["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
    "rsa-openssh": ["-t", "rsa", "-b", "3072"],
    "ecdsa-256-pem": ["-t", "ecdsa", "-b", "256", "-m", "PEM"],
    "ecdsa-256-openssh": ["-t", "ecdsa", "-b", "256"],
    "ecdsa-384-openssh": ["-t", "ecdsa", "-b", "384"],
    "ecdsa-521-openssh": ["-t", "ecdsa", "-b", "521"],
    "ed25519-openssh": ["-t", "ed25519", "-C", "a comment of some length, with blanks"],
}


class QuietHandler(WSGIRequestHandler):
    def log(self, *_):
        pass


class Endpoint(http.server.BaseHTTPRequestHandler):
    """What of the gateway the script meets: /ca.pem and /info."""

    info_status = 200

    def do_GET(self):
        if self.path == "/ca.pem":
            self._answer(200, self.server.ca_pem)
        else:
            self._answer(self.server.info_status, b'{"message": "no container for you"}')

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def certificate(subject, key, issuer, issuer_key, *, names=(), ca=False):
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def serve(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def endpoint(tmp_path):
    """Start TLS endpoints whose certificate has the given names; yields the function that starts one."""
    running = []

    def start(*names):
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = certificate("test ca", ca_key, "test ca", ca_key, ca=True)
        own = certificate("gateway", key, "test ca", ca_key, names=names)
        pem = tmp_path / "endpoint.pem"
        pem.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + own.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.ca_pem, server.info_status = ca.public_bytes(Encoding.PEM), 200
        running.append((server, serve(server)))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


LOCAL_NAMES = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


class Cloud:
    """A data center whose CloudAPI listens, the endpoint it names, and a place for keys."""

    def __init__(self, folder, docker):
        self.folder = folder
        self.docker = docker
        url = f"tcp://127.0.0.1:{docker.server_port}"
        self.dc = DataCenter(DcSettings(state=folder / "state", docker_url=url), Store(":memory:"))
        self.server = make_server("127.0.0.1", 0, self.dc.cloudapi.app, request_handler=QuietHandler)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.thread = serve(self.server)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.dc.store.close()

    def key(self, kind="ed25519-openssh", login="jdoe"):
        path = self.folder / f"id_{kind}"
        subprocess.run(["ssh-keygen", "-q", "-N", "", *KEY_KINDS[kind], "-f", path], check=True)
        if login:
            self.dc.mahi.create_account(login, ssh_public_key=path.with_suffix(".pub").read_text())
        return path

    def run(self, *args, answers="", path=None, status=0):
        environ = {"HOME": str(self.folder), "PATH": path or "/usr/local/bin:/usr/bin:/bin"}
        command = ["sh", "-eu", str(SCRIPT), *map(str, args)]
        done = subprocess.run(
            command, input=answers, capture_output=True, text=True, env=environ, timeout=60, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture
def cloud(tmp_path, endpoint):
    (tmp_path / "state").mkdir()
    cloud = Cloud(tmp_path, endpoint(*LOCAL_NAMES))
    yield cloud
    cloud.close()


def environment(text):
    """What a shell has after it evaluated the script's output."""
    done = subprocess.run(
        ["sh", "-euc", f"{text}\nenv"], capture_output=True, text=True, check=True, env={"DOCKER_TLS_VERIFY": "0"}
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_every_kind_of_key_gets_a_certificate_that_fits(cloud, kind):
    key, folder = cloud.key(kind), cloud.folder / "it's certs"
    before = key.read_bytes()
    done = cloud.run("-q", "-s", "-d", folder, cloud.url, "jdoe", key)

    found = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    ssh_public = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()
    assert ssh_public == key.with_suffix(".pub").read_bytes().split()[:2]
    assert found.subject.rfc4514_string() == found.issuer.rfc4514_string() == "CN=jdoe"
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 365
    found.verify_directly_issued_by(found)
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(folder / "cert.pem", folder / "key.pem")

    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "ca.pem").read_bytes() == cloud.docker.ca_pem
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "cert.pem", "env.sh", "key.pem"]
    assert key.read_bytes() == before

    assert done.stdout == (folder / "env.sh").read_text()
    env = environment(done.stdout)
    fingerprint = next(iter(cloud.dc.mahi.account("jdoe")["keys"]))
    assert (env["SDC_URL"], env["SDC_ACCOUNT"]) == (cloud.url, "jdoe")
    assert env["SDC_KEY_ID"] == fingerprint
    assert env["DOCKER_CERT_PATH"] == str(folder)
    assert env["DOCKER_HOST"] == cloud.dc.settings.docker_url
    assert (env["DOCKER_TLS_VERIFY"], env["DOCKER_BUILDKIT"]) == ("1", "0")


def test_what_is_missing_is_asked_for_until_it_is_right(cloud):
    key = cloud.key("rsa-openssh")
    answers = f"127.0.0.1:1\n{cloud.url}/\nno/login\njdoe\n/nowhere\n~/{key.name}\n"
    done = cloud.run("-p", "mine", answers=answers)
    assert "cannot reach CloudAPI at https://127.0.0.1:1" in done.stderr
    assert "not the login of an account: no/login" in done.stderr
    assert "cannot read the private key /nowhere" in done.stderr
    assert (cloud.folder / ".sdc/docker/mine/env.sh").exists()
    assert f". '{cloud.folder}/.sdc/docker/mine/env.sh'" in done.stdout
    assert "docker context create mine --docker 'host=tcp://127.0.0.1:" in done.stdout


def test_wrong_arguments_end_it_at_once(cloud):
    key = cloud.key()
    assert "cannot reach CloudAPI" in cloud.run("http://127.0.0.1:1", "jdoe", key, status=1).stderr
    assert "not the login" in cloud.run(cloud.url, "a b", key, status=1).stderr
    assert "cannot read the private key" in cloud.run(cloud.url, "jdoe", "/nowhere", status=1).stderr
    assert "not a name for a profile" in cloud.run("-p", "No!", cloud.url, "jdoe", key, status=1).stderr
    assert "Usage:" in cloud.run("-z", status=2).stderr
    assert "no answer to: CloudAPI" in cloud.run(status=1).stderr
    key.with_suffix(".pub").unlink()
    assert "ssh-keygen -y -f" in cloud.run(cloud.url, "jdoe", key, status=1).stderr


def test_a_key_that_is_not_the_accounts_is_explained(cloud):
    cloud.key("rsa-openssh")
    stranger = cloud.key("ed25519-openssh", login=None)
    done = cloud.run(cloud.url, "jdoe", stranger, status=1)
    assert "CloudAPI does not accept the key" in done.stderr
    assert not (cloud.folder / ".sdc").exists()


@pytest.mark.parametrize(("kind", "other"), [("ed25519-openssh", "rsa-openssh"), ("rsa-pem", "rsa-openssh")])
def test_a_public_key_of_another_private_key_is_noticed(cloud, kind, other):
    key = cloud.key(kind)
    shutil.copy(cloud.key(other).with_suffix(".pub"), key.with_suffix(".pub"))
    assert "does not belong to" in cloud.run(cloud.url, "jdoe", key, status=1).stderr


def test_a_disabled_account_reads_why(cloud):
    key = cloud.key()
    cloud.dc.mahi.set_attributes("jdoe", disabled=True)
    assert "account jdoe is disabled" in cloud.run(cloud.url, "jdoe", key, status=1).stderr


def test_a_refusal_of_the_endpoint_is_told(cloud):
    cloud.docker.info_status = 403
    assert "no container for you" in cloud.run(cloud.url, "jdoe", cloud.key()).stderr


def test_an_endpoint_whose_certificate_lacks_the_address_is_used_unverified(tmp_path, endpoint):
    (tmp_path / "state").mkdir()
    cloud = Cloud(tmp_path, endpoint(x509.DNSName("my.triton")))
    try:
        done = cloud.run("-q", cloud.url, "jdoe", cloud.key())
        told = cloud.run(cloud.url, "jdoe", cloud.folder / "id_ed25519-openssh").stdout
    finally:
        cloud.close()
    assert 'alias docker="docker --tls"' in done.stdout
    assert "DOCKER_TLS_VERIFY" not in environment(done.stdout)
    assert "SDC_URL" not in done.stdout
    assert "my.triton" in told
    assert "skip-tls-verify=true" in told


def test_force_asks_nobody(cloud):
    key = cloud.key(login=None)
    key.with_suffix(".pub").unlink()
    done = cloud.run("-f", "-q", "-s", "-k", "http://127.0.0.1:1", "jdoe", key)
    env = environment(done.stdout)
    assert env["DOCKER_HOST"] == "tcp://<HOST>:2376"
    assert env["SDC_TESTING"] == "1"
    assert "COMPOSE_HTTP_TIMEOUT" not in env
    folder = cloud.folder / ".sdc/docker/jdoe"
    assert sorted(path.name for path in folder.iterdir()) == ["cert.pem", "env.sh", "key.pem"]


def test_help_and_version(cloud):
    assert "-d DIR" in cloud.run("-h").stdout
    assert cloud.run("-V").stdout == "sdc-docker-setup 1.0.0\n"


@pytest.mark.parametrize(("known", "verb"), [(1, "create"), (0, "update")])
def test_a_docker_context_is_made_or_renewed(cloud, known, verb):
    tools = cloud.folder / "bin"
    tools.mkdir()
    fake = tools / "docker"
    fake.write_text(f'#!/bin/sh\n[ "$2" != inspect ] || exit {known}\nprintf "%s\\n" "$@" > "$HOME/asked"\n')
    fake.chmod(0o755)
    done = cloud.run("-C", cloud.url, "jdoe", cloud.key(), path=f"{tools}:/usr/bin:/bin")
    asked = (cloud.folder / "asked").read_text().splitlines()
    assert asked[:4] == ["context", verb, "jdoe", "--docker"]
    certs = cloud.folder / ".sdc/docker/jdoe"
    assert asked[4] == (
        f"host={cloud.dc.settings.docker_url},cert={certs}/cert.pem,key={certs}/key.pem,ca={certs}/ca.pem"
    )
    assert "docker --context jdoe" in done.stdout


def test_a_key_with_a_passphrase_is_not_written_in_the_clear_without_it(cloud):
    path = cloud.folder / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "sesame", "-f", path], check=True)
    command = ["setsid", "sh", str(SCRIPT), "-f", "http://127.0.0.1:1", "jdoe", str(path)]
    environ = {"HOME": str(cloud.folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 1
    assert "cannot read the private key" in done.stderr
    assert not (cloud.folder / ".sdc").exists()


def test_ed25519_keys_keep_their_seed(cloud):
    key, folder = cloud.key(), cloud.folder / "certs"
    cloud.run("-q", "-d", folder, cloud.url, "jdoe", key)
    blob = base64.b64decode("".join(key.read_text().splitlines()[1:-1]))
    der = subprocess.run(
        ["openssl", "pkey", "-in", folder / "key.pem", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert blob[161:193] == der[-32:]
