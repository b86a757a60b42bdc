"""Triton's firewall rules (fwrule 2): parse, normalise, write out, and ask which VMs a rule touches.

    rule     = "FROM" targets "TO" targets ("ALLOW" | "BLOCK") protocol ["PRIORITY" 0..100]
    targets  = "any" | "all vms" | target | "(" target ("OR" target)* ")"
    target   = "ip" A | "subnet" CIDR | "tag" K ["=" V] | "vm" UUID
    protocol = ("tcp" | "udp") ports | ("icmp" | "icmp6") types | "ah" | "esp"
    ports    = "PORT" n | "PORT all" | "(" "PORT" n ("AND" "PORT" n)* ")" | "PORTS" (n | a "-" b) ("," ...)*
    types    = "TYPE all" | type | "(" type ("AND" type)* ")"        type = "TYPE" t ["CODE" c]

Keywords may come in any case. ``str(rule)`` is the normal form: upper-case keywords, lower-case protocol,
quoted tags, everything sorted and told once. Parsing it gives an equal rule again.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

MAX_TARGETS = 24
MAX_PORTS = 24
MAX_PRIORITY = 100

T = TypeVar("T")

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([()=,])|([^\s()=,"]+))', re.DOTALL)
_SPACE = re.compile(r"\s*")
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_TARGET_ORDER = ("any", "all vms", "ip", "subnet", "tag", "vm")


class RuleError(ValueError):
    """A text that is no firewall rule, with the place and what was expected there."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a side of a rule names. ``value`` is a tag's value, None for a tag of any value."""

    kind: str
    name: str = ""
    value: str | None = None

    def selects(self, vm_uuid: str, tags: Mapping[str, Any]) -> bool:
        """Whether this names a VM, by uuid, by tag or with all the others."""
        if self.kind == "tag":
            return self.name in tags and self.value in (None, _text(tags[self.name]))
        return self.kind == "all vms" or (self.kind == "vm" and self.name == vm_uuid)

    def __str__(self) -> str:
        if self.kind == "tag":
            name = f"tag {_quote(self.name)}"
            return name if self.value is None else f"{name} = {_quote(self.value)}"
        return f"{self.kind} {self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """Ports ``first`` to ``last``; a single port has both the same."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class IcmpType:
    type: int
    code: int | None = None

    def __str__(self) -> str:
        return f"TYPE {self.type}" if self.code is None else f"TYPE {self.type} CODE {self.code}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in normal form. ``matches`` is empty for ``PORT all``, ``TYPE all``, ah and esp."""

    sources: tuple[Target, ...]
    destinations: tuple[Target, ...]
    action: str
    """``allow`` or ``block``."""
    protocol: str
    matches: tuple[Ports | IcmpType, ...] = ()
    priority: int | None = None

    def touches(self, vm_uuid: str, tags: Mapping[str, Any]) -> bool:
        """Whether a VM is on either side."""
        return any(target.selects(vm_uuid, tags) for target in self.targets)

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.sources + self.destinations

    def __str__(self) -> str:
        sides = f"FROM {_join(self.sources)} TO {_join(self.destinations)}"
        priority = "" if self.priority is None else f" PRIORITY {self.priority}"
        return f"{sides} {self.action.upper()} {self.protocol}{self._matches_text()}{priority}"

    def _matches_text(self) -> str:
        if self.protocol in ("ah", "esp"):
            return ""
        word = "PORT" if self.protocol in ("tcp", "udp") else "TYPE"
        if not self.matches:
            return f" {word} all"
        if any(isinstance(match, Ports) and match.first != match.last for match in self.matches):
            return f" PORTS {', '.join(map(str, self.matches))}"
        texts = [f"PORT {match}" if isinstance(match, Ports) else str(match) for match in self.matches]
        return f" {texts[0]}" if len(texts) == 1 else f" ({' AND '.join(texts)})"


@lru_cache(maxsize=4096)
def parse(text: str) -> Rule:
    """Read a rule into its normal form. Raises RuleError. Rules are read again and again: texts are remembered."""
    parser = _Parser(text)
    parser.keyword("FROM")
    sources = parser.targets()
    parser.keyword("TO")
    destinations = parser.targets()
    action = parser.keyword("ALLOW", "BLOCK")
    protocol = parser.keyword("tcp", "udp", "icmp", "icmp6", "ah", "esp")
    matches: list[Ports | IcmpType] = []
    if protocol in ("tcp", "udp"):
        matches.extend(parser.ports())
    elif protocol.startswith("icmp"):
        matches.extend(parser.types())
    priority = parser.number("priority", MAX_PRIORITY) if parser.accept("PRIORITY") else None
    parser.end()
    if len(set(matches)) > MAX_PORTS:
        raise RuleError(f"maximum of {MAX_PORTS} ports or types allowed")
    rule = Rule(
        _normal_targets(sources),
        _normal_targets(destinations),
        action,
        protocol,
        tuple(sorted(set(matches), key=_match_order)),
        priority,
    )
    if not any(target.kind in ("vm", "tag", "all vms") for target in rule.targets):
        raise RuleError("rule does not affect VMs")
    return rule


class _Parser:
    """A reader of tokens; quoted texts never count as keywords."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._token: tuple[str, bool] | None = None
        self._next = 0
        self._read()

    def _read(self) -> None:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            if _SPACE.sub("", self._text[self._at :]):
                raise RuleError(f"Error at character {self._at}: unterminated string")
            self._token = None
            return
        quoted, sign, word = found.groups()
        self._token = (_unquote(quoted), True) if quoted is not None else (sign or word, False)
        self._next = found.end()

    def _take(self) -> None:
        self._at = self._next
        self._read()

    def fail(self, *expected: str) -> RuleError:
        if self._token is None:
            found, kind = "end of string", ""
        else:
            found = f"'{self._token[0]}'"
            kind = ", found: string" if self._token[1] else ", found: word"
        wanted = ", ".join(f"'{word}'" for word in expected)
        return RuleError(f"Error at character {self._at}: {found}, expected: {wanted}{kind}")

    def accept(self, word: str) -> bool:
        """Take the next token when it is this keyword or sign."""
        if self._token is None or self._token[1] or self._token[0].lower() != word.lower():
            return False
        self._take()
        return True

    def keyword(self, *words: str) -> str:
        """Take one of some keywords and return it in lower case."""
        for word in words:
            if self.accept(word):
                return word.lower()
        raise self.fail(*words)

    def word(self, what: str) -> str:
        if self._token is None or (not self._token[1] and self._token[0] in "()=,"):
            raise self.fail(what)
        value = self._token[0]
        self._take()
        return value

    def checked(self, what: str, check: Callable[[str], Any]) -> str:
        """Take a value in the form that its check writes."""
        at, value = self._at, self.word(what)
        try:
            return str(check(value))
        except ValueError:
            raise RuleError(f"Error at character {at}: '{value}', {what} is invalid") from None

    def number(self, what: str, highest: int, lowest: int = 0) -> int:
        at, text = self._at, self.word(what)
        if not (text.isascii() and text.isdecimal()) or not lowest <= int(text[:9]) <= highest:
            raise RuleError(f"Error at character {at}: '{text}', {what} must be between {lowest} and {highest}")
        return int(text)

    def end(self) -> None:
        if self._token is not None:
            raise self.fail("end of string")

    def targets(self) -> list[Target]:
        if self.accept("any"):
            return [Target("any")]
        if self.accept("all"):
            self.keyword("vms")
            return [Target("all vms")]
        if not self.accept("("):
            return [self._target("(", "all", "any")]
        found = [self._target()]
        while not self.accept(")"):
            if not self.accept("OR"):
                raise self.fail("OR", ")")
            found.append(self._target())
        return found

    def _target(self, *others: str) -> Target:
        if self.accept("ip"):
            return Target("ip", self.checked("IP address", ip_address))
        if self.accept("subnet"):
            return Target("subnet", self.checked("subnet", _subnet))
        if self.accept("vm"):
            return Target("vm", self.checked("UUID", _uuid))
        if self.accept("tag"):
            name = self.word("tag name")
            return Target("tag", name, self.word("tag value") if self.accept("=") else None)
        raise self.fail(*others, "ip", "subnet", "vm", "tag")

    def ports(self) -> list[Ports]:
        if self.accept("PORTS"):
            found = [self._range()]
            while self.accept(","):
                found.append(self._range())
            return found
        return self._listed("PORT", self._port)

    def types(self) -> list[IcmpType]:
        return self._listed("TYPE", self._type)

    def _listed(self, word: str, read: Callable[[], T]) -> list[T]:
        """``WORD all``, one ``WORD x``, or several in parentheses."""
        if not self.accept("("):
            if not self.accept(word):
                raise self.fail("(", word)
            return [] if self.accept("all") else [read()]
        self.keyword(word)
        found = [read()]
        while not self.accept(")"):
            if not self.accept("AND"):
                raise self.fail("AND", ")")
            self.keyword(word)
            found.append(read())
        return found

    def _port(self) -> Ports:
        port = self.number("port", 65535, 1)
        return Ports(port, port)

    def _range(self) -> Ports:
        span = None if self._token is None else _RANGE.fullmatch(self._token[0])
        if span is None:
            first = self.number("port", 65535, 1)
            last = self.number("port", 65535, 1) if self.accept("-") else first
        else:
            first, last = int(span[1]), int(span[2])
            self._take()
        if not 1 <= first <= last <= 65535:
            raise RuleError(f"Error at character {self._at}: '{first}-{last}', port range is invalid")
        return Ports(first, last)

    def _type(self) -> IcmpType:
        number = self.number("icmp type", 255)
        return IcmpType(number, self.number("icmp code", 255) if self.accept("CODE") else None)


def _normal_targets(targets: list[Target]) -> tuple[Target, ...]:
    found = sorted(
        set(targets), key=lambda t: (_TARGET_ORDER.index(t.kind), t.name, t.value is not None, t.value or "")
    )
    if len(found) > MAX_TARGETS:
        raise RuleError(f"maximum of {MAX_TARGETS} targets allowed per side")
    return tuple(found)


def _match_order(match: Ports | IcmpType) -> tuple[int, int]:
    if isinstance(match, Ports):
        return match.first, match.last
    return match.type, -1 if match.code is None else match.code


def _subnet(text: str) -> str:
    if "/" not in text:
        raise ValueError(text)
    return str(ip_network(text))


def _uuid(text: str) -> str:
    if str(uuid.UUID(text)) != text.lower():
        raise ValueError(text)
    return text.lower()


def _join(targets: tuple[Target, ...]) -> str:
    return str(targets[0]) if len(targets) == 1 else f"({' OR '.join(map(str, targets))})"


def _text(value: Any) -> str:
    """A tag's value as rules compare it: booleans in JSON's spelling."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unquote(text: str) -> str:
    """Undo the escapes of a quoted text: JSON's own, and a backslash before any other character."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _CONTROL.get(found[2], found[2]), text)
    try:
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise RuleError("a string has half a surrogate pair in it") from None
