"""JSON as Docker writes it: one document, one line."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode_json(value: Any, end: bytes = b"\n") -> bytes:
    """Return ``value`` as one line of JSON; the same for a whole body and for an item of a stream.

    Docker ends progress messages with CR LF and everything else with LF; its clients take either.
    """
    return _encode(value) + end
