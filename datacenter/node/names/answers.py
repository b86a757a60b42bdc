"""DNS queries that names on networks answer, and the answers, as bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

_CHANCE = random.Random()  # noqa: S311 - to spread connections
TTL = 30
"""Seconds for which who asked may keep an answer."""
PLAIN_UDP = 512
LARGEST = 65535
ADDRESS_SIZE = 16
"""Bytes of one address in an answer."""

Lookup = Callable[[str], list[str]]
Reverse = Callable[[str], str]


class Query:
    """A query as it came. Raises ValueError for bytes that are none."""

    def __init__(self, data: bytes, *, tcp: bool) -> None:
        self.data = data
        self.tcp = tcp
        try:
            self._message = dns.message.from_wire(data, ignore_trailing=True)
        except dns.exception.DNSException as error:
            raise ValueError(str(error)) from error
        if self._message.flags & dns.flags.QR:
            raise ValueError("an answer, not a query")

    def answer(self, lookup: Lookup, reverse: Reverse) -> bytes | None:
        """The answer, or None when somebody else has to be asked.

        A name that is known has IPv4 addresses and nothing else; several come in another order each time.
        """
        if self._message.opcode() != dns.opcode.QUERY or len(self._message.question) != 1:
            return None
        asked = self._message.question[0]
        if asked.rdclass != dns.rdataclass.IN:
            return None
        if asked.rdtype == dns.rdatatype.PTR:
            name = reverse(_address(asked.name))
            return self._reply(asked.name, "PTR", [f"{name}."]) if _is_name(name) else None
        found = lookup(_text(asked.name))
        if not found:
            return None
        wanted = asked.rdtype in {dns.rdatatype.A, dns.rdatatype.ANY}
        return self._reply(asked.name, "A", _CHANCE.sample(found, len(found)) if wanted else [])

    def failure(self) -> bytes:
        """The answer that nobody knows: SERVFAIL."""
        reply = self._response()
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply.to_wire()

    def matches(self, reply: bytes) -> bool:
        """Whether bytes from a server can be the answer to this query."""
        return len(reply) >= 12 and reply[:2] == self.data[:2] and bool(reply[2] & 0x80)

    def _reply(self, name: dns.name.Name, kind: str, values: list[str]) -> bytes:
        """An answer with as many addresses as it may hold; one that holds not all says so."""
        reply = self._response()
        most = LARGEST if self.tcp else max(self._message.payload, PLAIN_UDP)
        room = (most - len(reply.to_wire())) // ADDRESS_SIZE
        if kind == "A" and len(values) > room:
            reply.flags |= dns.flags.TC
            values = values[:room]
        if values:
            reply.answer.append(dns.rrset.from_text_list(name, TTL, "IN", kind, values))
        return reply.to_wire(max_size=most)

    def _response(self) -> dns.message.Message:
        return dns.message.make_response(self._message, recursion_available=True)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _is_name(text: str) -> bool:
    """Whether DNS can say a name: containers' may be too long for it."""
    try:
        return bool(text) and bool(dns.name.from_text(text))
    except dns.exception.DNSException:
        return False


def _address(name: dns.name.Name) -> str:
    """The IPv4 address that a name below in-addr.arpa stands for; empty for others."""
    try:
        return dns.reversename.to_address(name)
    except (dns.exception.DNSException, ValueError):
        return ""
