"""A hijacked connection that speaks WebSocket: bytes in and out, in frames."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gevent.lock import RLock
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Message, Ping, Request, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from gateway.wire.hijack import HijackedStream, HijackResponse

_CHUNK = 65536


def refusal(headers: Mapping[str, str]) -> str | None:
    """Say what keeps a request from becoming a WebSocket, None when it can. Names of headers in lower case."""
    if headers.get("upgrade", "").lower() != "websocket":
        return "not a websocket protocol: the request has no header 'Upgrade: websocket'"
    try:
        _shake_hands(headers.items())
    except RemoteProtocolError as error:
        return f"bad websocket handshake: {error}"
    return None


def _shake_hands(headers: Iterable[tuple[str, str]]) -> tuple[WSConnection, Request]:
    """Take in the client's half of the handshake. Raises RemoteProtocolError."""
    connection = WSConnection(ConnectionType.SERVER)
    connection.initiate_upgrade_connection(_raw(headers), "/")
    return connection, next(event for event in connection.events() if isinstance(event, Request))


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class WebSocketStream:
    """The bytes inside the messages of a WebSocket, both ways; how a client cuts them into messages is lost.

    One greenlet may read while another writes: pings are answered from whichever reads. ``binary`` says which
    kind of message is written; text is UTF-8, and what is none becomes U+FFFD, as a text frame may hold nothing else.
    """

    def __init__(self, stream: HijackedStream, connection: WSConnection, *, binary: bool) -> None:
        self._stream = stream
        self._connection = connection
        self._decode = None if binary else codecs.getincrementaldecoder("utf-8")("replace").decode
        self._ready: list[bytes] = []
        self._over = False
        self._sending = RLock()

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to ``size`` bytes, b"" once the client has closed or talks nonsense."""
        while not self._ready and not self._over:
            data = self._stream.read(_CHUNK)
            try:
                self._connection.receive_data(data or None)
                for event in self._connection.events():
                    self._take(event)
            except RemoteProtocolError as error:
                self._over = True
                self._send(CloseConnection(code=1002, reason=str(error)[:120]))
            self._over = self._over or not data
        if not self._ready:
            return b""
        found = self._ready.pop(0)
        if len(found) > size:
            self._ready.insert(0, found[size:])
        return found[:size]

    def _take(self, event: Any) -> None:
        if isinstance(event, Message):
            data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
            if data:
                self._ready.append(data)
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, CloseConnection):
            self._over = True
            self._send(event.response())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send one message. Raises BrokenPipeError once the client has closed."""
        event: Message[Any]
        if self._decode is None:
            event = BytesMessage(data=bytes(data))
        else:
            event = TextMessage(data=self._decode(bytes(data)))
            if not event.data:
                return
        if not self._send(event):
            raise BrokenPipeError("the websocket is closed")

    def close_write(self) -> None:
        """Tell the client that no more comes; a WebSocket ends with that in both directions."""
        self._send(CloseConnection(code=1000))

    def close(self) -> None:
        """End the connection, in the protocol's own way first."""
        self.close_write()
        self._stream.close()

    def _send(self, event: Any) -> bool:
        """Send an event whole, between those of other greenlets. False when the conversation is over."""
        with self._sending:
            try:
                self._stream.write(self._connection.send(event))
            except LocalProtocolError:
                return False
        return True


class WebSocketResponse(HijackResponse):
    """A response that hands its connection to ``handler`` as a WebSocket; the request must have none of the
    faults that ``refusal`` finds. Closed in the protocol's own way when the handler returns.
    """

    def __init__(
        self, handler: Callable[[WebSocketStream], Any], headers: Mapping[str, str] | None = None, *, binary: bool
    ) -> None:
        super().__init__(self._converse, headers=headers)
        self._talk = handler
        self._binary = binary

    def _greet(self, stream: HijackedStream, environ: Mapping[str, Any]) -> None:
        asked = [
            (name[5:].replace("_", "-"), str(value)) for name, value in environ.items() if name.startswith("HTTP_")
        ]
        self._connection, request = _shake_hands(asked)
        first = next(iter(request.subprotocols), None)  # a client that offers some wants one of them named
        accept = AcceptConnection(subprotocol=first, extra_headers=_raw(self.own_headers()))
        stream.write(self._connection.send(accept))

    def _converse(self, stream: HijackedStream) -> None:
        socket = WebSocketStream(stream, self._connection, binary=self._binary)
        try:
            self._talk(socket)
        finally:
            socket.close_write()
