"""An image's config: IMGAPI and the gateway's records hold the document, a digest is of its exact bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_GO_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What Go's encoder writes for them; in JSON they stand in strings only."""


def exact(document: Mapping[str, Any], digest: str) -> bytes | None:
    """Write a config as it was when it got its digest (``sha256:...``); None when its form cannot be told.

    Docker, BuildKit and their kin write compact JSON by Go's encoder, its fields in the order that the document
    keeps. Whoever writes otherwise (with blanks, say) must be kept as text.
    """
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for text in (plain.translate(_GO_ESCAPES), plain):
        data = text.encode("utf-8", "surrogatepass")
        if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest:
            return data
    return None
