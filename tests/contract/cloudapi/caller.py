"""A client of CloudAPI that signs its requests."""

from __future__ import annotations

import base64
from email.utils import formatdate

import gevent
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PRIVATE = {
    "rsa-sha256": rsa.generate_private_key(65537, 2048),
    "ecdsa-sha256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-sha384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519-sha512": ed25519.Ed25519PrivateKey.generate(),
}
RSA = "rsa-sha256"


def public_line(private):
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign(algorithm, text, private=None):
    private = private or PRIVATE[algorithm]
    digest = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[algorithm.split("-")[1]]()
    if algorithm.startswith("rsa"):
        signature = private.sign(text.encode(), padding.PKCS1v15(), digest)
    elif algorithm.startswith("ecdsa"):
        signature = private.sign(text.encode(), ec.ECDSA(digest))
    else:
        signature = private.sign(text.encode())
    return base64.b64encode(signature).decode()


class Caller:
    """A client that signs as an account does. ``old`` takes the form of http-signature 0.9."""

    def __init__(self, dc, login="jdoe", algorithm=RSA, *, old=False):
        self.http = dc.cloudapi.app.test_client()
        account = dc.mahi.create_account(login, ssh_public_key=public_line(PRIVATE[algorithm]), key_name="laptop")
        self.key_id = f"/{login}/keys/{account['key_names']['laptop']}"
        self.uuid, self.algorithm, self.old = account["uuid"], algorithm, old

    def headers(self, path, method="get", date=None):
        date = date or formatdate(usegmt=True)
        start = f'Signature keyId="{self.key_id}",algorithm="{self.algorithm}"'
        if self.old:
            return {"date": date, "authorization": f"{start} {sign(self.algorithm, date)}"}
        signature = sign(self.algorithm, f"(request-target): {method} {path}\ndate: {date}")
        signed = f'{start},headers="(request-target) date",signature="{signature}"'
        return {"date": date, "authorization": signed, "accept-version": "~9||~8"}

    def get(self, path, **headers):
        return self.http.get(path, headers={**self.headers(path), **headers})

    def send(self, method, path, **body):
        return self.http.open(path, method=method, headers=self.headers(path, method.lower()), json=body or None)


class SubCaller(Caller):
    """A client that signs as a sub-user does."""

    def __init__(self, dc, login, user, algorithm):
        self.http = dc.cloudapi.app.test_client()
        made = dc.mahi.users.create(dc.mahi.require(login), user, ssh_public_key=public_line(PRIVATE[algorithm]))
        self.key_id = f"/{login}/users/{user}/keys/{next(iter(made['keys']))}"
        self.uuid, self.algorithm, self.old = made["uuid"], algorithm, False


def wait_for(caller, machine, state):
    for _ in range(500):
        shown = caller.get(f"/jdoe/machines/{machine['id']}")
        if shown.json["state"] == state:
            return shown
        gevent.sleep(0.01)
    raise AssertionError(f"still {shown.json['state']}, not {state}")
