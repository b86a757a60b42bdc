"""Who calls: the account or sub-user behind a signed request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import g, request

from datacenter.restify import RestError
from datacenter.services.cloudapi import presigned, signature
from datacenter.services.cloudapi.authorization import Caller

if TYPE_CHECKING:
    from datacenter.services.mahi import Mahi

CLOCK_SKEW = 300
"""Seconds that a request's date may be off, either way."""

_UNQUOTED = ("/", "/:", "/:@", "/:@!$&'()*+,;=~")
"""Which characters clients leave as they are in paths; the server only sees them decoded."""


def authenticate(mahi: Mahi) -> Caller:
    """Find who signed the request at hand.

    Raises 400 InvalidHeader, 401 InvalidCredentials, and 403 NotAuthorized for accounts that are disabled.
    """
    credentials, texts = _signed()
    account = mahi.account(credentials.login)
    caller = Caller(account) if account else None
    if account and credentials.user is not None:
        user = mahi.users.find(account["uuid"], credentials.user)
        caller = Caller(account, user) if user else None
    pem = _key((caller.user or caller.account) if caller else {}, credentials.key)
    if caller is None or pem is None or not any(signature.verify(pem, credentials, text) for text in texts):
        raise RestError(401, "InvalidCredentials", "The signature does not match a key of the account")
    g.key_id = credentials.key_id
    if caller.account.get("disabled"):
        raise RestError(403, "NotAuthorized", f"account {caller.account['login']} is disabled")
    return caller


def _signed() -> tuple[signature.Credentials, Iterator[bytes]]:
    """What the request claims, by header or query, and the bytes that may have been signed."""
    header, method = request.headers.get("Authorization"), request.method
    if header:
        credentials = signature.parse(header)
        _check_date(credentials)
        targets = (path + query for path, query in _targets())
        return credentials, (signature.signing_text(credentials, request.headers.get, method, path) for path in targets)
    if not presigned.is_signed(request.args):
        raise RestError(401, "InvalidCredentials", "The request was not signed")
    query = request.args.to_dict()
    paths = (path for path, _ in _targets())
    return presigned.read(query, method), (presigned.text(query, method, request.host, path) for path in paths)


def _key(holder: Any, name: str) -> str | None:
    fingerprint = holder.get("key_names", {}).get(name, name)
    pem: str | None = holder.get("keys", {}).get(fingerprint)
    return pem


def _check_date(credentials: signature.Credentials) -> None:
    """Refuse old and unsigned dates, so that a signature cannot be used again later."""
    name = "x-date" if "x-date" in (credentials.headers or ()) else "date"
    if credentials.headers is not None and name not in credentials.headers:
        raise signature.invalid_header("date must be signed")
    try:
        sent = parsedate_to_datetime(request.headers.get(name, "")).timestamp()
    except ValueError as error:
        raise signature.invalid_header(f"{name} was not in the request, or is no date") from error
    skew = abs(time.time() - sent)
    if skew > CLOCK_SKEW:
        raise signature.invalid_header(f"clock skew of {skew:.0f}s was greater than {CLOCK_SKEW}s")


def _targets() -> Iterator[tuple[str, str]]:
    """The request's path as the client may have sent it, and its query."""
    query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    for path in dict.fromkeys(quote(request.path, safe=safe) for safe in _UNQUOTED):
        yield path, query
