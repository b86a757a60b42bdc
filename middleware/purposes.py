"""The purposes (extended key usage) of a certificate, read leniently.

``cryptography`` refuses all extensions of a certificate when one of them is not strict DER, and the certificates of
``triton profile docker-setup`` are not: they spell out that they are no CA's. Only the one extension is read here.
"""

from __future__ import annotations

from collections.abc import Iterator

_EXTENSIONS = 0xA3
_OID = 0x06
_OCTET_STRING = 0x04
_EXTENDED_KEY_USAGE = bytes.fromhex("551d25")
_LONG_FORM = 0x80


def purposes(tbs_certificate: bytes) -> frozenset[bytes]:
    """The purposes' object identifiers, encoded; none when there is no such extension. Raises ValueError."""
    ((_, fields),) = _elements(tbs_certificate)
    for tag, wrapped in _elements(fields):
        if tag == _EXTENSIONS:
            ((_, extensions),) = _elements(wrapped)
            return _purposes(extensions)
    return frozenset()


def _purposes(extensions: bytes) -> frozenset[bytes]:
    for _, extension in _elements(extensions):
        parts = list(_elements(extension))
        if parts[0] == (_OID, _EXTENDED_KEY_USAGE) and parts[-1][0] == _OCTET_STRING:
            ((_, usages),) = _elements(parts[-1][1])
            return frozenset(usage for tag, usage in _elements(usages) if tag == _OID)
    return frozenset()


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in a row. Raises ValueError when one is cut off."""
    at = 0
    while at < len(data):
        tag, length, start = data[at], *_length(data, at + 1)
        if start + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[start : start + length]
        at = start + length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length that is encoded at a place, and where the content begins."""
    if at >= len(data):
        raise ValueError("an element ends after its tag")
    first = data[at]
    if first < _LONG_FORM:
        return first, at + 1
    size = first - _LONG_FORM
    return int.from_bytes(data[at + 1 : at + 1 + size]), at + 1 + size
