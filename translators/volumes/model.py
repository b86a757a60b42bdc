"""The body of ``POST /volumes/create`` as the Engine API documents it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import field


class VolumeCreate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Without a name the volume gets one, and counts as anonymous."""

    Name: str = ""
    Driver: str = ""
    DriverOpts: dict[str, str] = field(default_factory=dict)
    Labels: dict[str, str] = field(default_factory=dict)
    ClusterVolumeSpec: dict[str, Any] | None = None
