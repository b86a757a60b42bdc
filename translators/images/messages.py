"""The messages of image streams: JSON objects that Docker clients draw."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def failure(message: str) -> Message:
    """The last message of a stream that fails after its status was sent."""
    return {"errorDetail": {"message": message}, "error": message}
