"""A Call: one request, decoded, on its way through the chain to a translator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

import msgspec

from gateway.versions import ApiVersion

if TYPE_CHECKING:
    from gateway.operations import Operation
    from gateway.settings import TritonSettings
    from gateway.state import State
    from sdc import DataCenterClients


EXPLAIN_LABEL = "gateway.explain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end of the socket, as the wire saw it."""

    address: str
    """``host:port`` or the path of the unix socket."""
    transport: str
    """``tls``, ``tcp`` or ``unix``."""
    certificate: bytes | None = None
    """DER of the certificate the client presented in *this* connection's handshake."""
    uid: int | None = None
    """User id of the process at the other end of a unix socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Triton account, as far as a call needs it."""

    uuid: str
    login: str
    approved: bool = True
    operator: bool = False
    tenant: str | None = None
    cns_enabled: bool = False
    limits: tuple[Mapping[str, Any], ...] = ()
    """The account's own provision limits for this data center (UFDS ``capilimit`` form)."""


class Task(Protocol):
    """A greenlet with an owner, who joins or kills it."""

    def kill(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Duplex(Protocol):
    """Both directions of a hijacked connection, in bytes."""

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes; ``b""`` once the client has closed its half."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def close_write(self) -> None:
        """Tell the client that nothing more comes; reading goes on."""

    def close(self) -> None: ...


class Tap(Protocol):
    """Output that nobody needs to wait for: whoever holds one is told when its descriptor can be read."""

    def fileno(self) -> int: ...

    def pour(self, write: Callable[[bytes | memoryview], None]) -> bool:
        """Read once, without waiting, and write what came; False at the end."""

    def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Reply:
    """What a handler answers. ``body`` is a decoded JSON value, so that members of the chain may rewrite it."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


_BODY: Any = Reply.__dict__["body"]


@dataclass(kw_only=True)  # with slots of its own it would lose the property
class EncodedReply(Reply):
    """A reply whose JSON is there already: it goes out as it is, unless a member of the chain looks at ``body``.

    Then it is decoded, for this reply alone, and may be rewritten like any other.
    """

    encoded: bytes | None = None
    """None once the body was looked at or put in."""

    @property  # type: ignore[misc]  # mypy wants a field; the setter makes it one
    def body(self) -> Any:
        if self.encoded is not None:
            self.body = msgspec.json.decode(self.encoded)
        return _BODY.__get__(self)

    @body.setter
    def body(self, value: Any) -> None:
        self.encoded = None
        _BODY.__set__(self, value)


@dataclass(slots=True, kw_only=True)
class RawReply(Reply):
    """Bytes that are not JSON: ``OK``, a certificate, a tar."""

    data: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(slots=True, kw_only=True)
class StreamReply(Reply):
    """A reply that goes out piece by piece, its headers at once.

    ``items`` yields JSON values (``json=True``, each between ``start`` and ``end``) or bytes. It is closed when the
    client leaves.
    """

    items: Iterator[Any]
    json: bool = True
    start: bytes = b""
    end: bytes = b"\n"
    content_type: str = "application/json"
    tap: Tap | None = None
    """The same as ``items``, bytes, for a stream that no member wraps: then ``items`` is not begun."""


@dataclass(slots=True, kw_only=True)
class HijackReply(Reply):
    """Hand the connection to ``session``; it owns both directions until it returns."""

    tap: Tap | None = None
    """All that ``session`` would do, for a connection that no member wraps: then ``session`` is not called."""

    session: Callable[[Duplex], None]
    content_type: str = "application/vnd.docker.raw-stream"
    websocket: Literal["text", "binary"] | None = None
    """Speak WebSocket on the connection, writing messages of this kind."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request. Members of the chain read and change it; translators carry it out.

    ``hints`` is where members leave what the payload needs (``package``, ``affinity``, ``networks``);
    each key belongs to the member that writes it and is documented there.
    """

    request_id: str
    operation: Operation
    version: ApiVersion
    peer: Peer
    method: str = "GET"
    path: str = "/"
    target: Mapping[str, str] = field(default_factory=dict)
    """Path parameters: ``{"id": "web"}``."""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers, names in lower case."""
    body: Any = None
    """The decoded body: a typed model where the operation has one, else plain JSON, else None.

    Members that run before the call has an account find None: see ``unread``.
    """
    explanation: dict[str, Any] = field(default_factory=dict, repr=False)
    """What members tell of a dry run (``explains``), each under a key of its own: ``Package``, ``Quota``."""
    unread: Callable[[], Any] | None = field(default=None, repr=False)
    """Reads and decodes the body. The chain calls it as soon as ``account`` is set, so that nobody unknown makes
    us read megabytes, or learns what is wrong with them; without an account, before the translator."""
    upload: BinaryIO | None = None
    """The undecoded request body of operations that take a tar or another stream."""
    account: Account | None = None
    principal: str | None = None
    """What proved the identity: a key fingerprint, or ``unix:uid=0``."""
    hints: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    """Monotonic seconds after which jobs and services are no longer waited for."""
    services: DataCenterClients = field(default=None, repr=False)  # type: ignore[assignment]
    state: State = field(default=None, repr=False)  # type: ignore[assignment]
    config: TritonSettings = field(default=None, repr=False)  # type: ignore[assignment]
    provision: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda payload: payload, repr=False)
    """Runs the chain's ``provision`` moment over a finished payload; translators call it before they submit."""
    spawn: Callable[..., Task] = field(default=None, repr=False)  # type: ignore[assignment]
    """Starts a function in a greenlet of its own that keeps the call's context; the caller owns what it gets."""
    jobs: list[str] = field(default_factory=list)
    """The jobs that the data center was seen to have taken for it."""
    undo: list[Callable[[], None]] = field(default_factory=list, repr=False)
    """Run in reverse when the call fails: what to take back so that nothing half-made stays."""

    @property
    def explains(self) -> bool:
        """Whether this is a dry run of ``container.create``: nothing may be made. Known once the body is decoded."""
        if self.operation.name == "gateway.explain":
            return True
        labels = getattr(self.body, "Labels", None) if self.operation.name == "container.create" else None
        return str((labels or {}).get(EXPLAIN_LABEL, "")).lower() in {"true", "1"}

    @property
    def owner(self) -> Account:
        """The authenticated account. Raises RuntimeError when no member of the chain put one in."""
        if self.account is None:
            raise RuntimeError(f"{self.operation.name} reached a translator without an account")
        return self.account

    def arg(self, name: str, default: str = "") -> str:
        """First value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean query parameter as Docker reads it: '', 0, no, none and false are false, all else is true."""
        values = self.query.get(name)
        if not values:
            return default
        return values[0].strip().lower() not in {"", "0", "no", "none", "false"}

    def remaining(self, most: float) -> float:
        """Seconds left until the deadline, at most ``most``."""
        if self.deadline is None:
            return most
        return max(0.0, min(most, self.deadline - time.monotonic()))
