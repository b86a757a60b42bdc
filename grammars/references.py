"""Image references as Docker writes them: ``[index/]repository[:tag][@digest]``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

DEFAULT_INDEX = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_INDEX = "index.docker.io"
_OFFICIAL = "library/"
_LONGEST_NAME = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REMOTE = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_INDEX = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_WHOLE = re.compile(rf"(?P<remote>{_REMOTE})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")
_WHOLE_INDEX = re.compile(_INDEX)
_WHOLE_TAG = re.compile(_TAG)
_WHOLE_DIGEST = re.compile(_DIGEST)
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")
_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. ``tag`` and ``digest`` are None where the text has none: nothing is defaulted."""

    index: str
    """The registry's host, with its port: ``docker.io``, ``localhost:5000``."""
    remote_name: str
    """The repository as its registry calls it: ``library/busybox``."""
    tag: str | None = None
    digest: str | None = None

    @property
    def local_name(self) -> str:
        """The repository as people type it and as sdc-docker stores it: ``busybox``, ``quay.io/org/img``."""
        if self.index == DEFAULT_INDEX:
            return self._short_remote
        return f"{self.index}/{self.remote_name}"

    @property
    def canonical_name(self) -> str:
        """The local name with its index always there: ``docker.io/busybox``, never with ``library/``."""
        return f"{self.index}/{self._short_remote}"

    @property
    def _short_remote(self) -> str:
        rest = self.remote_name.removeprefix(_OFFICIAL)
        return rest if self.index == DEFAULT_INDEX and "/" not in rest else self.remote_name

    def with_tag(self, tag: str) -> Reference:
        """Replace the tag, dropping a digest. Raises ValueError ``invalid tag format``."""
        if not _WHOLE_TAG.fullmatch(tag):
            raise ValueError("invalid tag format")
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: str) -> Reference:
        """Replace the digest, keeping a tag. Raises ValueError with the sentences of ``check_digest``."""
        check_digest(digest)
        return replace(self, digest=digest)

    def with_default_tag(self) -> Reference:
        """Say ``latest`` where neither tag nor digest is said."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def __str__(self) -> str:
        return self._suffixed(self.local_name)

    @property
    def canonical(self) -> str:
        """The whole reference with its index always there: ``docker.io/busybox:latest``."""
        return self._suffixed(self.canonical_name)

    def _suffixed(self, name: str) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{name}{tag}{digest}"


def parse(text: str) -> Reference:
    """Parse a reference that a person typed, adding ``docker.io`` and ``library/`` where they are implied.

    The first component is an index when it holds a dot, a colon or an upper-case letter, or is ``localhost``.
    Raises ValueError with Docker's sentences.
    """
    if _IMAGE_ID.fullmatch(text):
        raise ValueError(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    index, remainder = _split_index(text)
    remote = remainder.partition(":")[0]
    if remote != remote.lower():
        raise ValueError(f"invalid reference format: repository name ({remote}) must be lowercase")
    match = _WHOLE.fullmatch(remainder)
    if match is None or not _WHOLE_INDEX.fullmatch(index):
        raise ValueError("invalid reference format")
    if len(match["remote"]) > _LONGEST_NAME:
        raise ValueError(f"repository name must not be more than {_LONGEST_NAME} characters")
    if match["digest"]:
        check_digest(match["digest"])
    return Reference(index, match["remote"], match["tag"], match["digest"])


def _split_index(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    named = "." in first or ":" in first or first == "localhost" or first != first.lower()
    index, remainder = (first, rest) if slash and named else (DEFAULT_INDEX, text)
    if index == _LEGACY_INDEX:
        index = DEFAULT_INDEX
    if index == DEFAULT_INDEX and "/" not in remainder:
        remainder = _OFFICIAL + remainder
    return index, remainder


def check_digest(digest: str) -> None:
    """Raise ValueError with Docker's sentence unless this is a digest whose algorithm we know."""
    if not _WHOLE_DIGEST.fullmatch(digest):
        raise ValueError("invalid checksum digest format")
    algorithm, _, digits = digest.partition(":")
    if algorithm not in _DIGITS:
        raise ValueError("unsupported digest algorithm")
    if len(digits) != _DIGITS[algorithm]:
        raise ValueError("invalid checksum digest length")
    if digits != digits.lower():
        raise ValueError("invalid checksum digest format")


def is_digest(text: str) -> bool:
    """Whether a text is a whole digest, as in ``tag=sha256:...`` of a pull."""
    try:
        check_digest(text)
    except ValueError:
        return False
    return True
