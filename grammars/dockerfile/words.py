"""Words of an instruction: quotes, escapes and variables, as in a shell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from grammars.dockerfile.faults import DockerfileError

MAX_DEPTH = 32
"""Nesting of ``${a:-${b:-...}}`` beyond which it is refused; real ones stay below five."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = frozenset("@*#?-$!0123456789")


def exec_form(text: str) -> list[str] | None:
    """Read the JSON list of an instruction; None when it is in shell form."""
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Replace variables, take off quotes and escapes. Raises DockerfileError for a bad substitution."""
    return _Expansion(text, variables, escape).whole()


def expand_words(text: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """Expand, and split where blanks stand outside quotes: those of a variable's value split, too."""
    return _Expansion(text, variables, escape).words()


def split(text: str, escape: str = "\\") -> list[str]:
    """Split at blanks outside quotes; quotes and escapes stay in the words."""
    words: list[str] = []
    quote, at, begun = "", 0, -1  # where the word that is being read begins, -1 between words
    while at < len(text):
        char = text[at]
        if not quote and char.isspace():
            if begun >= 0:
                words.append(text[begun:at])
            begun = -1
        else:
            begun = at if begun < 0 else begun
            if char == escape and quote != "'" and at + 1 < len(text):
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
        at += 1
    return [*words, text[begun:]] if begun >= 0 else words


def name_values(word: str, text: str, escape: str = "\\") -> list[tuple[str, str]]:
    """Read ``k=v k2="v 2"``, or the old ``k the rest of the line``; quotes stay for ``expand`` to take off."""
    words = split(text, escape)
    if not words:
        raise DockerfileError(f"{word} requires at least one argument")
    if "=" not in words[0]:
        name, *rest = text.split(None, 1)
        if not rest:
            raise DockerfileError(f"{word} must have two arguments")
        return [(name, rest[0])]
    pairs = []
    for one in words:
        name, equals, value = one.partition("=")
        if not equals:
            raise DockerfileError(f"Syntax error - can't find = in {json.dumps(one)}. Must be of the form: name=value")
        pairs.append((name, value))
    return pairs


class _Expansion:
    """One pass over a text."""

    def __init__(self, text: str, variables: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._at = 0
        self._words: list[str] = []
        self._word: list[str] | None = None
        """The pieces of the word that is being read."""
        self._depth = 0

    def whole(self) -> str:
        return self._until("")

    def words(self) -> list[str]:
        self._until("")
        self._end_word()
        return self._words

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
        self._word = None

    def _add(self, text: str, *, splits: bool) -> str:
        """Take text into the words; the same text is returned for the whole."""
        for piece in text if splits else (text,):
            if splits and piece.isspace():
                self._end_word()
            elif self._word is None:
                self._word = [piece]
            else:
                self._word.append(piece)
        return text

    def _until(self, stop: str) -> str:
        found: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == stop:
                self._at += 1
                return "".join(found)
            if char == "'":
                found.append(self._single())
            elif char == '"':
                found.append(self._double())
            elif char == "$":
                found.append(self._add(self._variable(), splits=True))
            elif char == self._escape:
                self._at += 1
                if self._at < len(self._text):
                    found.append(self._add(self._text[self._at], splits=False))
                self._at += 1
            else:
                self._at += 1
                found.append(self._add(char, splits=True))
        if stop:
            raise DockerfileError("syntax error: missing '}'")
        return "".join(found)

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise DockerfileError("unexpected end of statement while looking for matching single-quote")
        inner = self._text[self._at + 1 : end]
        self._at = end + 1
        return self._add(inner, splits=False)

    def _double(self) -> str:
        self._at += 1
        found = [self._add("", splits=False)]
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return "".join(found)
            if char == "$":
                found.append(self._add(self._variable(), splits=False))
                continue
            if char == self._escape and self._text[self._at + 1 : self._at + 2] in {'"', "$", self._escape}:
                self._at += 1
                char = self._text[self._at]
            self._at += 1
            found.append(self._add(char, splits=False))
        raise DockerfileError("unexpected end of statement while looking for matching double-quote")

    def _variable(self) -> str:
        """Read a variable at a dollar sign, and return its value."""
        self._at += 1
        if self._text[self._at : self._at + 1] == "{":
            self._at += 1
            return self._braced()
        name = self._name()
        return self._variables.get(name, "") if name else "$"

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return match[0]
        if self._text[self._at : self._at + 1] in _SPECIAL and self._at < len(self._text):
            self._at += 1
            return self._text[self._at - 1]
        return ""

    def _braced(self) -> str:
        name = self._name()
        if not name:
            raise DockerfileError("syntax error: bad substitution")
        rest = self._text[self._at : self._at + 2]
        value = self._variables.get(name)
        if rest.startswith("}"):
            self._at += 1
            return value or ""
        colon = rest.startswith(":")
        modifier = rest[1:2] if colon else rest[:1]
        if modifier not in ("-", "+", "?") or not modifier:
            raise DockerfileError(f"unsupported modifier ({rest[: 1 + colon]}) in substitution")
        self._at += 1 + colon
        word = self._inner()
        present = bool(value) if colon else value is not None
        if modifier == "+":
            return word if present else ""
        if modifier == "?" and not present:
            said = word or "is not allowed to be " + ("empty" if colon and value is not None else "unset")
            raise DockerfileError(f"{name}: {said}")
        return value or "" if present else word

    def _inner(self) -> str:
        """Expand the word of a ``${name:-word}``, up to its brace."""
        if self._depth == MAX_DEPTH:
            raise DockerfileError(f"substitutions are nested deeper than {MAX_DEPTH}")
        words, word = self._words, self._word
        self._words, self._word = [], None
        self._depth += 1
        try:
            return self._until("}")
        finally:
            self._words, self._word = words, word
            self._depth -= 1
