"""From a Dockerfile's text to its instructions: comments, parser directives, continued lines, here-documents."""

from __future__ import annotations

import re
from dataclasses import dataclass

from grammars.dockerfile.faults import DockerfileError

INSTRUCTIONS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_KNOWN_DIRECTIVES = frozenset({"escape", "syntax", "check"})
_COMMENT = re.compile(r"\s*#")
_HEREDOC = re.compile(r"(?<![\w<])\d*<<(?P<chomp>-?)\s*(?P<quote>['\"]?)(?P<name>[A-Za-z_][A-Za-z0-9_.]*)(?P=quote)")
_WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
_FLAG = re.compile(r"--[a-z]")
_MOST_FLAGS = 100


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document of an instruction. ``expand``: variables in it are replaced; its name was not quoted."""

    name: str
    text: str
    expand: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word in capitals, its ``--flags``, and the rest of the line, continued lines joined."""

    word: str
    flags: tuple[str, ...]
    rest: str
    line: int
    heredocs: tuple[Heredoc, ...] = ()

    def __str__(self) -> str:
        return " ".join(part for part in (self.word, *self.flags, self.rest) if part)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """Instructions in order; ``escape`` is the character that continues a line and takes a character's meaning."""

    instructions: tuple[Instruction, ...]
    escape: str = "\\"


def read(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises DockerfileError for what is no instruction, and for one that is empty."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    found = list(_Reader(lines, escape).instructions())
    if not found:
        raise DockerfileError("file with no instructions")
    return Dockerfile(tuple(found), escape)


def read_one(line: str, escape: str = "\\", number: int = 1) -> Instruction:
    """Read a single instruction, as those of ONBUILD are kept. Raises DockerfileError."""
    found = list(_Reader(line.split("\n"), escape).instructions())
    if len(found) != 1:
        raise DockerfileError(f"not one instruction: {line!r}", number)
    one = found[0]
    return Instruction(one.word, one.flags, one.rest, number, one.heredocs)


def _escape(lines: list[str]) -> str:
    """Find the parser directives, which stand before everything else."""
    escape, seen = "\\", set()
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in _KNOWN_DIRECTIVES:
            break
        name, value = match[1].lower(), match[2]
        if name in seen:
            raise DockerfileError(f"only one {name} parser directive can be used", number)
        seen.add(name)
        if name == "escape":
            if value not in ("\\", "`"):
                raise DockerfileError(f"invalid escape token '{value}' does not match ` or \\", number)
            escape = value
    return escape


class _Reader:
    def __init__(self, lines: list[str], escape: str) -> None:
        self._lines = lines
        self._at = 0
        token = re.escape(escape)
        self._continued = re.compile(rf"(?:(?<!{token}){token}|^{token})[ \t]*$")

    def instructions(self) -> list[Instruction]:
        found = []
        while self._at < len(self._lines):
            line = self._lines[self._at].lstrip()
            self._at += 1
            number = self._at
            if line and not line.startswith("#") and (whole := self._joined(line).strip()):
                found.append(self._instruction(whole, number))
        return found

    def _instruction(self, whole: str, number: int) -> Instruction:
        word, rest = (*whole.split(None, 1), "")[:2]
        word = word.upper()
        if word not in INSTRUCTIONS:
            raise DockerfileError(f"unknown instruction: {word}", number)
        flags, rest = _flags(rest.strip())
        heredocs = self._heredocs(rest, number) if word in _WITH_HEREDOCS else ()
        if not rest:
            raise DockerfileError(f"{word} requires at least one argument", number)
        return Instruction(word, flags, rest, number, heredocs)

    def _joined(self, line: str) -> str:
        """Join a line with those that continue it; comments and empty lines between them fall away."""
        parts: list[str] = []
        while (match := self._continued.search(line)) is not None:
            parts.append(line[: match.start()])
            while self._at < len(self._lines):
                line = self._lines[self._at]
                if line.strip() and not _COMMENT.match(line):
                    break
                self._at += 1
            if self._at >= len(self._lines):
                return "".join(parts)
            self._at += 1
        return "".join([*parts, line])

    def _heredocs(self, rest: str, number: int) -> tuple[Heredoc, ...]:
        return tuple(self._heredoc(match, number) for match in _unquoted_heredocs(rest))

    def _heredoc(self, match: re.Match[str], number: int) -> Heredoc:
        text: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            line = line.lstrip("\t") if match["chomp"] else line
            if line == match["name"]:
                return Heredoc(match["name"], "".join(f"{one}\n" for one in text), expand=not match["quote"])
            text.append(line)
        raise DockerfileError("unterminated heredoc", number)


def _unquoted_heredocs(rest: str) -> list[re.Match[str]]:
    """Find the marks of here-documents that do not stand within quotes."""
    found: list[re.Match[str]] = []
    quote, at = "", 0
    while at < len(rest):
        if quote:
            quote = "" if rest[at] == quote else quote
        elif (match := _HEREDOC.match(rest, at)) is not None:
            found.append(match)
            at = match.end()
            continue
        elif rest[at] in "'\"":
            quote = rest[at]
        at += 1
    return found


def heredoc_only(rest: str) -> bool:
    """Whether the line of an instruction is the mark of one here-document and nothing else."""
    return _HEREDOC.fullmatch(rest.strip()) is not None


def without_heredocs(rest: str) -> tuple[list[str], str]:
    """Split a line into the names of its here-documents, in order, and what is left of it."""
    marks = _unquoted_heredocs(rest)
    for mark in reversed(marks):
        rest = rest[: mark.start()] + rest[mark.end() :]
    return [mark["name"] for mark in marks], rest.strip()


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    """Take ``--name`` and ``--name=value`` off the beginning; a lone ``--`` ends them."""
    flags: list[str] = []
    while _FLAG.match(rest):
        if len(flags) == _MOST_FLAGS:
            raise DockerfileError(f"more than {_MOST_FLAGS} flags")
        flag, _, rest = rest.partition(" ")
        flags.append(flag)
        rest = rest.lstrip()
    if rest == "--" or rest.startswith("-- "):
        rest = rest[2:].lstrip()
    return tuple(flags), rest
