"""The keys that leave a container running: ``ctrl-p,ctrl-q`` unless the client says otherwise."""

from __future__ import annotations

from gateway.errors import InvalidParameter

DEFAULT = b"\x10\x11"
_PUNCTUATION = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse(text: str) -> bytes:
    """Turn ``ctrl-x,x`` into bytes; an empty text means the default. Raises InvalidParameter."""
    if not text:
        return DEFAULT
    keys = bytearray()
    for part in text.split(","):
        if len(part) == 1 and part.isascii():
            keys.append(ord(part))
            continue
        name = part.removeprefix("ctrl-")
        if name == part or len(name) != 1:
            raise InvalidParameter(f"Invalid detach keys ({text}) provided: Unknown character: '{part}'")
        if "a" <= name <= "z":
            keys.append(ord(name) - ord("a") + 1)
        elif name in _PUNCTUATION:
            keys.append(_PUNCTUATION[name])
        else:
            raise InvalidParameter(f"Invalid detach keys ({text}) provided: Unknown character: '{part}'")
    return bytes(keys)


class KeyWatch:
    """Looks for the keys in what a client types, however it is cut into reads.

    Bytes that may be the beginning of the sequence are held back until it is known that they are not, as dockerd does.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to pass on, and whether the sequence was completed; what follows it is dropped."""
        text = self._held + data
        at = text.find(self._keys)
        if at >= 0:
            self._held = b""
            return text[:at], True
        keep = next((n for n in range(len(self._keys) - 1, 0, -1) if text.endswith(self._keys[:n])), 0)
        self._held = text[len(text) - keep :] if keep else b""
        return (text[: len(text) - keep] if keep else text), False
