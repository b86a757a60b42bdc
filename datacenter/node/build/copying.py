"""COPY and ADD: their flags and words, where their sources are, and the archive that is made of them."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from datacenter.node.build.channel import BuildError
from datacenter.node.copy import gather
from datacenter.node.tasks import TaskError
from grammars.dockerfile import DockerfileError
from grammars.dockerfile.metadata import Metadata
from grammars.dockerfile.reading import Instruction, without_heredocs
from grammars.dockerfile.words import exec_form, expand

Json = dict[str, Any]
Tree = Callable[[str], AbstractContextManager[Path]]

_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@", re.IGNORECASE)
_MODE = re.compile(r"0?[0-7]{3,4}")
_MOST_INLINE = 100_000
_BUILDKIT = "the --{0} option requires BuildKit, which this data center does not have"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What an instruction asks for, variables replaced. ``origin`` is a stage or image, empty for the context."""

    word: str
    origin: str
    owner: str
    mode: int | None
    sources: tuple[str, ...]
    inline: tuple[dict[str, str], ...]
    dest: str

    def told(self, content: str) -> str:
        """Return how history tells it; ``content`` is the sum of what is copied."""
        flags = [f"--chown={self.owner}"] if self.owner else []
        flags += [f"--chmod={self.mode:o}"] if self.mode is not None else []
        return " ".join([self.word, *flags, content, "in", self.dest, ""])


def read_copy(instruction: Instruction, metadata: Metadata) -> Copy:
    """Read a COPY or ADD. Raises DockerfileError and BuildError."""
    flags = _flags(instruction, metadata)
    names, rest = without_heredocs(instruction.rest) if instruction.heredocs else ([], instruction.rest)
    words = exec_form(rest)
    plain = [metadata.expand(word) for word in (rest.split() if words is None else words)]
    if len(plain) + len(names) < 2 or not plain:
        raise DockerfileError(f"{instruction.word} requires at least two arguments", instruction.line)
    *sources, dest = plain
    if any(_REMOTE.match(source) for source in sources):
        if instruction.word == "COPY":
            raise BuildError("source can't be a URL for COPY")
        raise BuildError("ADD of a remote source is not supported: fetch it in a RUN, or put it into the context")
    if len(sources) + len(names) > 1 and not dest.endswith("/") and posixpath.basename(dest) not in {".", ".."}:
        raise _needs_folder(instruction.word)
    inline = tuple(_inline(instruction, metadata))
    if sum(len(one["text"]) for one in inline) > _MOST_INLINE:
        raise BuildError(f"here-documents of one instruction may hold {_MOST_INLINE} characters")
    return Copy(
        word=instruction.word,
        origin=flags.get("from", ""),
        owner=flags.get("chown", ""),
        mode=_mode(flags.get("chmod", "")),
        sources=tuple(sources),
        inline=inline,
        dest=dest,
    )


def _needs_folder(word: str) -> BuildError:
    return BuildError(
        f"When using {word} with more than one source file, the destination must be a directory and end with a /"
    )


def _flags(instruction: Instruction, metadata: Metadata) -> dict[str, str]:
    known = {"chown", "chmod"} | ({"from"} if instruction.word == "COPY" else set())
    found = {}
    for flag in instruction.flags:
        name, _, value = flag.removeprefix("--").partition("=")
        if name in {"link", "parents", "exclude", "checksum", "keep-git-dir", "unpack"}:
            raise BuildError(_BUILDKIT.format(name))
        if name not in known:
            raise DockerfileError(f"unknown flag: {name}", instruction.line)
        found[name] = metadata.expand(value)
    return found


def _mode(text: str) -> int | None:
    if not text:
        return None
    if not _MODE.fullmatch(text):
        raise BuildError(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
    return int(text, 8)


def _inline(instruction: Instruction, metadata: Metadata) -> Iterator[dict[str, str]]:
    for document in instruction.heredocs:
        text = document.text
        if document.expand:
            quoted = text.replace("'", "\\'").replace('"', '\\"') if metadata.escape == "\\" else text
            text = expand(quoted, metadata.variables, metadata.escape)
        yield {"name": document.name, "text": text}


@contextmanager
def gathered(copy: Copy, folder: Path, tree: Path) -> Iterator[tuple[Json, BinaryIO]]:
    """Have the archive of a COPY's sources for the block, and what is to be known of it. Raises BuildError."""
    with cast("BinaryIO", tempfile.TemporaryFile(dir=folder)) as file:
        try:
            found = gather(
                tree,
                file,
                sources=list(copy.sources),
                inline=list(copy.inline),
                extract=copy.word == "ADD",
                preserve=bool(copy.origin) and not copy.owner,
                chmod=copy.mode,
            )
        except TaskError as error:
            raise BuildError(f"{copy.word} failed: {_words(error, copy)}") from error
        if found["many"] and not copy.dest.endswith("/") and posixpath.basename(copy.dest) not in {".", ".."}:
            raise _needs_folder(copy.word)
        file.seek(0)
        yield found, file


def _words(error: TaskError, copy: Copy) -> str:
    if error.rest_code == "NoSource" and not copy.origin and error.message.startswith("stat "):
        return f"file not found in build context or excluded by .dockerignore: {error.message}"
    return error.message


def destination(copy: Copy, workdir: str) -> str:
    """Return the absolute path that a COPY goes to."""
    joined = posixpath.normpath(posixpath.join("/", workdir, copy.dest))
    return "/" + joined.lstrip("/")


def names_a_file(copy: Copy, found: Json) -> bool:
    """Whether the destination is the name of the one file that is copied, unless there is a folder."""
    return bool(found["file"]) and not copy.dest.endswith(("/", "/.", "/..")) and copy.dest not in {".", ".."}
