"""Who calls: the account behind a signed request, and whose data it may see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import request

from datacenter.restify import RestError, not_found
from datacenter.services.cloudapi import signature

if TYPE_CHECKING:
    from datacenter.services.mahi import Mahi

Account = dict[str, Any]

CLOCK_SKEW = 300
"""Seconds that a request's date may be off, either way."""

_UNQUOTED = ("/", "/:", "/:@", "/:@!$&'()*+,;=~")
"""Which characters clients leave as they are in paths; the server only sees them decoded."""


def authorize(mahi: Mahi, name: str) -> Account:
    """Authenticate the request at hand and return the account whose data its path names.

    ``my`` is the caller itself. Operators may see every account, others only their own. Raises 400
    InvalidHeader, 401 InvalidCredentials, 403 NotAuthorized, 404 ResourceNotFound.
    """
    caller = authenticate(mahi)
    if name in ("my", caller["login"], caller["uuid"]):
        return caller
    if "operators" not in caller.get("groups", ()):
        raise RestError(403, "NotAuthorized", f"{caller['login']} is not authorized to access {name}")
    account = mahi.account(name)
    if account is None:
        raise not_found(f"{name} does not exist")
    return account


def authenticate(mahi: Mahi) -> Account:
    """Find the account that signed the request at hand. Raises 400, 401, 403."""
    text = request.headers.get("Authorization")
    if not text:
        raise RestError(401, "InvalidCredentials", "The request was not signed")
    credentials = signature.parse(text)
    _check_date(credentials)
    account = mahi.account(credentials.login)
    pem = _key(mahi, account, credentials)
    texts = (signature.signing_text(credentials, request.headers.get, request.method, path) for path in _targets())
    if account is None or pem is None or not any(signature.verify(pem, credentials, text) for text in texts):
        raise RestError(401, "InvalidCredentials", "The signature does not match a key of the account")
    if account.get("disabled"):
        raise RestError(403, "NotAuthorized", f"account {account['login']} is disabled")
    if credentials.user is not None:
        raise RestError(403, "NotAuthorized", f"{credentials.user} has no role that allows this")
    return account


def _key(mahi: Mahi, account: Account | None, credentials: signature.Credentials) -> str | None:
    if account is None:
        return None
    holder = account
    if credentials.user is not None:
        holder = mahi.users.find(account["uuid"], credentials.user) or {}
    fingerprint = holder.get("key_names", {}).get(credentials.key, credentials.key)
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


def _targets() -> Iterator[str]:
    """The request's path and query as the client may have sent them."""
    query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    for path in dict.fromkeys(quote(request.path, safe=safe) for safe in _UNQUOTED):
        yield path + query
