"""Aperture: the rules of an account's policies, read into the JSON that MAHI keeps of them.

``CAN getmachine AND listmachines`` names what its bearers may do; principals may stand before CAN, resources
after the actions, and conditions after IF, WHEN or WHERE: ``CAN *machine* IF sourceip = 10.0.0.0/8``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from grammars import apertypes
from grammars.apertypes import RuleError

Rule = dict[str, Any]
"""``effect``, ``actions`` and where given ``principals``, ``resources`` and ``conditions``.

A list of names is ``{"exact": {name: true}, "regex": ["/.../flags"]}``, or 1 for all of them. A condition is
``["=", {"name", "type"?}, value]``, ``["in", {...}, [values]]``, or ``and``, ``or`` and ``not`` of such.
"""

MOST_CHARACTERS = 2048
MAX_DEPTH = 32
"""Nesting of conditions beyond which a rule is refused; real ones stay below five."""

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<regex>/(?:[^\n\r\\/\[]|\\.|\[(?:[^\n\r\]\\]|\\.)*\])+/[a-z]*)::regexp?(?![^\s,()])"
    r"|(?P<quoted>\"[^\"\\]*(?:\\.[^\"\\]*)*\")"
    r"|(?P<mark>::|[,()])"
    r"|(?P<word>(?:[^\s,():](?::(?!:))?)+)"
    r"|(?P<end>$)"
    r")",
    re.IGNORECASE,
)
_KEYWORDS = frozenset(
    ("and", "or", "not", "can", "to", "if", "when", "where", "all", "everything", "anything", "in", "*")
)
_ALL = frozenset(("all", "everything", "anything", "*"))
_IF = frozenset(("if", "when", "where"))
_SPECIAL = re.compile(r"[-/\\^$+?.()|\[\]{}]")


def parse(text: str) -> Rule:
    """Read one rule. Raises RuleError, with a sentence that says where it stops making sense."""
    if len(text) > MOST_CHARACTERS:
        raise RuleError(f"a rule has at most {MOST_CHARACTERS} characters")
    return _Reader(text).rule()


def allows(rule: Rule, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    """Whether a rule lets its bearers do something to a resource. Its principals are the caller's to judge.

    Raises RuleError when a condition of the rule cannot be weighed, its value missing from the context, say.
    """
    named = _named(rule["actions"], action) and ("resources" not in rule or _named(rule["resources"], resource))
    if not named:
        return False
    conditions = rule.get("conditions")
    return bool(rule["effect"]) and (not conditions or _holds(conditions, context))


class _Reader:
    """A rule's words one after the other, each with its kind: a sort of name, a mark, or a keyword in lower case."""

    def __init__(self, text: str) -> None:
        self._words = list(_words(text))
        self._at = 0

    def rule(self) -> Rule:
        rule: Rule = {}
        if self._kind != "can":
            rule["principals"] = self._names()
        self._expect("can")
        rule["effect"] = not self._accept("not")
        rule["actions"] = self._names()
        if self._kind not in _IF and self._kind != "end":
            rule["resources"] = self._names()
        if self._kind in _IF:
            self._at += 1
            rule["conditions"] = self._either(0)
        self._expect("end")
        return rule

    @property
    def _kind(self) -> str:
        return self._words[self._at][0]

    def _accept(self, kind: str) -> bool:
        found = self._kind == kind
        self._at += found
        return found

    def _expect(self, kind: str) -> str:
        if self._kind != kind:
            raise self._wrong(kind.upper())
        text = self._words[self._at][1]
        self._at += 1
        return text

    def _wrong(self, wanted: str) -> RuleError:
        kind, text = self._words[self._at]
        return RuleError(f"expected {wanted}, found {'the end' if kind == 'end' else repr(text)}")

    def _names(self) -> dict[str, Any] | int:
        """``a``, ``a and b``, ``a, b and c`` or ``a, b, and c``; or all of them."""
        if self._kind in _ALL:
            self._at += 1
            return 1
        found: dict[str, Any] = {"exact": {}, "regex": []}
        self._name_into(found)
        count = 1
        while self._accept(","):
            if count > 1 and self._kind == "and":
                break
            self._name_into(found)
            count += 1
        if count > 1:
            self._expect("and")
            self._name_into(found)
        elif self._accept("and"):
            self._name_into(found)
        return found

    def _name_into(self, found: dict[str, Any]) -> None:
        kind, text = self._words[self._at]
        if kind not in ("name", "fuzzy", "quoted", "regex"):
            raise self._wrong("a name")
        self._at += 1
        if kind == "regex":
            apertypes.compiled(text)
            found["regex"].append(text)
        elif kind == "fuzzy":
            found["regex"].append(f"/{_fuzzy(text)}/")
        else:
            found["exact"][text] = True

    def _either(self, depth: int) -> list[Any]:
        found = self._both(depth)
        while self._accept("or"):
            found = ["or", found, self._both(depth)]
        return found

    def _both(self, depth: int) -> list[Any]:
        found = self._maybe_not(depth)
        while self._accept("and"):
            found = ["and", found, self._maybe_not(depth)]
        return found

    def _maybe_not(self, depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise RuleError(f"conditions are nested deeper than {MAX_DEPTH}")
        if self._accept("not"):
            return ["not", self._maybe_not(depth + 1)]
        if self._accept("("):
            found = self._either(depth + 1)
            self._expect(")")
            return found
        return self._condition()

    def _condition(self) -> list[Any]:
        lhs = {"name": self._string()}
        if self._accept("::"):
            lhs["type"] = self._string()
        if self._accept("in"):
            self._expect("(")
            values = [self._string()]
            while self._accept(","):
                values.append(self._string())
            self._expect(")")
            for value in values:
                apertypes.check("=", lhs, value)
            return ["in", lhs, values]
        operator = self._string().lower()
        value = self._string()
        apertypes.check(operator, lhs, value)
        return [operator, lhs, value]

    def _string(self) -> str:
        kind, text = self._words[self._at]
        if kind not in ("name", "fuzzy", "quoted", "*"):
            raise self._wrong("a value")
        self._at += 1
        return text


def _words(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while not found or found[-1][0] != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            raise RuleError(f"cannot read {text[at:].strip()[:40]!r}")
        at = match.end()
        kind = str(match.lastgroup)
        word = match[kind]
        if kind == "quoted":
            word = word[1:-1]
        elif kind == "mark":
            kind = word
        elif kind == "word":
            kind = word.lower() if word.lower() in _KEYWORDS else "fuzzy" if "*" in word else "name"
        found.append((kind, word))
    return found


def _fuzzy(text: str) -> str:
    r"""A name with stars as a regular expression: ``*`` is any text, ``\*`` a star."""
    pieces = (piece.split("*") for piece in text.split("\\*"))
    return r"\*".join(".*".join(_SPECIAL.sub(r"\\\g<0>", part) for part in piece) for piece in pieces)


def _named(names: Any, name: str) -> bool:
    if names == 1:
        return True
    return name in names["exact"] or any(apertypes.compiled(regex).search(name) for regex in names["regex"])


def _holds(condition: list[Any], context: Mapping[str, Any]) -> bool:
    operator, *rest = condition
    if operator == "not":
        return not _holds(rest[0], context)
    if operator in ("and", "or"):
        first = _holds(rest[0], context)
        return first if first is (operator == "or") else _holds(rest[1], context)
    lhs, wanted = rest
    if lhs["name"] not in context:
        raise RuleError(f'missing condition in context: "{lhs["name"]}"')
    value = context[lhs["name"]]
    if operator == "in":
        return any(apertypes.compare("=", lhs, value, one) for one in wanted)
    return apertypes.compare(operator, lhs, value, wanted)
