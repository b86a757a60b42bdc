"""Find out which account a call is made for, and whether that account may make it."""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import structlog
from msgspec import Meta

from gateway.call import Account, Call
from gateway.errors import Forbidden, ServiceError, ServiceUnavailable, Unauthorized, Unavailable
from middleware.base import Middleware, Options
from middleware.certificates import CertificateRefused, Claim, read_claim, sha256_fingerprint

logger = structlog.get_logger("middleware.authentication")

ADMINISTRATOR = "administrator"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_CACHED = 4096
_FRESH = 1.0

AuthInfo = Mapping[str, Any]
Value = TypeVar("Value")


class AuthenticationOptions(Options, frozen=True):
    cache_seconds: Annotated[
        float, Meta(ge=0, description="How old an account may be; a removed key stops working within this time")
    ] = 10.0
    enforce_dates: Annotated[
        bool, Meta(description="Check the dates of certificates without the docker purpose, too")
    ] = True
    allowed_dcs: Annotated[bool, Meta(description="Refuse accounts whose allowed_dcs lacks this data center")] = False
    refusal: Annotated[str, Meta(description="Added in parentheses to Forbidden")] = ""
    administrators: Annotated[
        dict[str, tuple[str, ...]], Meta(description="By login: further accounts whose keys count as that account's")
    ] = msgspec.field(default_factory=dict)
    socket_account: Annotated[str, Meta(description="Account of unix sockets; default: the top-level setting")] = ""
    socket_uids: Annotated[
        tuple[int, ...], Meta(description="Users who may use unix sockets, beside root and the gateway's own")
    ] = ()
    tcp_account: Annotated[
        str, Meta(description="Account of tcp listeners without TLS: everybody who reaches the port is this account")
    ] = ""


class Authentication(Middleware):
    """Set ``call.account`` and ``call.principal``, on every call, from the connection's peer.

    TLS: the subject's CN names the account, and a key of that account must have signed the certificate; the
    handshake has proved that the client holds the certificate's key. The keys of the account's administrators
    count as its own: of the default members of its role ``administrator``, be they sub-users or other accounts.
    A sub-user's own name (``login/subuser``) is taken from such administrators alone. Unix sockets are bound to
    one account and to a few local users.

    Accounts are cached for seconds, refusals never. What is kept for longer is only that a signature verified,
    and it is asked for only after the key was found in the account. Clients learn nothing but
    ``Unauthorized``, except what is wrong with their certificate's dates and issuer; the log has the reason.

    SDC: MAHI GET /accounts, GET /users, GET /roles
    """

    name = "authentication"
    Options = AuthenticationOptions
    options: AuthenticationOptions

    def __init__(self, options: AuthenticationOptions) -> None:
        super().__init__(options)
        self._accounts: _Recent[tuple[float, AuthInfo]] = _Recent()
        self._claims: _Recent[Claim] = _Recent()
        self._verified: _Recent[bool] = _Recent()

    def before(self, call: Call) -> None:
        try:
            info, call.principal = self._identify(call)
        except CertificateRefused as refusal:
            logger.warning(
                "authentication refused", reason=str(refusal), peer=call.peer.address, req_id=call.request_id
            )
            raise Unauthorized(refusal.told) from refusal
        except ServiceUnavailable as error:
            raise Unavailable("accounts cannot be looked up at the moment; please try again") from error
        account = info["account"]
        structlog.contextvars.bind_contextvars(account=account["uuid"], login=account["login"])
        self._authorise(call, account)
        call.account = _account(account)

    def _identify(self, call: Call) -> tuple[AuthInfo, str]:
        if call.peer.transport == "tls":
            return self._by_certificate(call)
        if call.peer.transport == "unix":
            return self._by_socket(call)
        if not self.options.tcp_account:
            raise CertificateRefused("plain tcp, and tcp_account is not set")
        return self._info(call, self.options.tcp_account), f"tcp:{call.peer.address}"

    def _by_socket(self, call: Call) -> tuple[AuthInfo, str]:
        uid = call.peer.uid
        if uid is None or uid not in {0, os.getuid(), *self.options.socket_uids}:
            raise CertificateRefused(f"user {uid} may not use the socket")
        if not self.options.socket_account:
            raise CertificateRefused("socket_account is not set")
        return self._info(call, self.options.socket_account), f"unix:uid={uid}"

    def _by_certificate(self, call: Call) -> tuple[AuthInfo, str]:
        der = call.peer.certificate
        if der is None:
            raise CertificateRefused("no client certificate")
        claim = self._claims.get(der) or read_claim(der)
        if claim.docker_purpose or self.options.enforce_dates:
            claim.check_dates(datetime.now(UTC))
        info, pem = self._key(call, claim)
        proof = (claim.digest, pem)
        if not self._verified.get(proof):
            claim.check_signature(pem)
            self._verified.put(proof, value=True)
            self._claims.put(der, claim)
        return info, claim.fingerprint

    def _key(self, call: Call, claim: Claim) -> tuple[AuthInfo, str]:
        """Find the account and the key's PEM; look again, past the cache, when the key is not there: it may be new."""
        for oldest in (self.options.cache_seconds, min(_FRESH, self.options.cache_seconds)):
            info = self._info(call, claim.name, oldest)
            for holder in self._holders(call, info, oldest):
                pem = _pem(holder.get("keys") or {}, claim.fingerprint)
                if pem:
                    return info, pem
        raise CertificateRefused(f"{claim.name} has no key {claim.fingerprint}")

    def _holders(self, call: Call, info: AuthInfo, oldest: float) -> Iterator[Mapping[str, Any]]:
        """Whose keys count: the sub-user's alone, or the account's and then those of its administrators."""
        yield info.get("user") or info["account"]
        if "user" not in info:
            yield from self._default_administrators(call, info["account"]["login"], oldest)
            for login in self.options.administrators.get(info["account"]["login"], ()):
                with suppress(CertificateRefused):  # named in the settings, but there is no such account
                    administrator = self._info(call, login, oldest)["account"]
                    if not _true(administrator.get("disabled")):
                        yield administrator

    def _default_administrators(self, call: Call, login: str, oldest: float) -> Iterator[Mapping[str, Any]]:
        """Sub-users and other accounts that the account's role of administrators has as default members."""
        info = self._recent(("role", login), oldest, lambda: call.services.mahi.get_role(login, ADMINISTRATOR))
        role = (info or {}).get("role") or {}
        for member in (role.get("members") or {}).values():
            if role["uuid"] in (member.get("defaultRoles") or ()) and not _true(member.get("disabled")):
                yield member

    def _info(self, call: Call, name: str, oldest: float | None = None) -> AuthInfo:
        """Look an account up by login, uuid or ``login/subuser``, at most ``oldest`` seconds old."""
        info = self._recent(name, self.options.cache_seconds if oldest is None else oldest, lambda: _fetch(call, name))
        if info is None:
            raise CertificateRefused(f"no account {name!r}")
        return info

    def _recent(self, key: Hashable, oldest: float, ask: Callable[[], AuthInfo]) -> AuthInfo | None:
        """What MAHI said at most ``oldest`` seconds ago, or says now; None for what it does not know."""
        now = time.monotonic()
        cached = self._accounts.get(key)
        if cached and now - cached[0] < oldest:
            return cached[1]
        try:
            info = ask()
        except ServiceError as error:
            self._accounts.drop(key)
            if error.status == 404:
                return None
            raise
        self._accounts.put(key, (now, info))
        return info

    def _authorise(self, call: Call, account: Mapping[str, Any]) -> None:
        if self.options.allowed_dcs and call.config.datacenter_name not in _texts(account.get("allowed_dcs")):
            raise self._forbidden(f"{account['login']} is not allowed in {call.config.datacenter_name}")
        if _true(account.get("disabled")):
            raise self._forbidden(f"{account['login']} is disabled")
        if call.operation.provisions and not _true(account.get("approved_for_provisioning")):
            raise Forbidden(f"{account['login']} does not have permission to pull or provision")

    def _forbidden(self, reason: str) -> Forbidden:
        logger.warning("authorisation refused", reason=reason)
        return Forbidden(f"Forbidden ({self.options.refusal})" if self.options.refusal else "Forbidden")


class _Recent(Generic[Value]):
    """The most recently put few thousand values."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > _MOST_CACHED:
            self._values.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        self._values.pop(key, None)


def _fetch(call: Call, name: str) -> AuthInfo:
    """Ask MAHI. Of sub-users only the account's administrators are let in."""
    login, slash, subuser = name.partition("/")
    mahi = call.services.mahi
    if not slash:
        return mahi.get_account_by_uuid(name) if _UUID.fullmatch(name) else mahi.get_account(login)
    info = mahi.get_user_by_login(login, subuser)
    roles = {uuid for uuid, role in (info.get("roles") or {}).items() if role.get("name") == ADMINISTRATOR}
    if "user" not in info or not roles.intersection(info["user"].get("defaultRoles") or ()):
        raise CertificateRefused(f"{name} is no administrator of {login}")
    return info


def _pem(keys: Mapping[str, str], fingerprint: str) -> str | None:
    """MAHI indexes keys by MD5 in colon-hex, without a prefix."""
    if fingerprint.startswith("MD5:"):
        return keys.get(fingerprint.removeprefix("MD5:"))
    for pem in keys.values():
        try:
            if sha256_fingerprint(pem) == fingerprint:
                return pem
        except (ValueError, TypeError):
            continue  # a key that cannot be read cannot be meant
    return None


def _account(info: Mapping[str, Any]) -> Account:
    return Account(
        uuid=info["uuid"],
        login=info["login"],
        approved=_true(info.get("approved_for_provisioning")),
        operator=_true(info.get("isOperator")) or "operators" in (info.get("groups") or ()),
        tenant=info.get("tenant"),
        cns_enabled=_true(info.get("triton_cns_enabled")),
        limits=tuple(info.get("limits") or ()),
    )


def _true(value: object) -> bool:
    """UFDS keeps its flags as text, and MAHI passes some of them on so."""
    return value is True or value == "true"


def _texts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
