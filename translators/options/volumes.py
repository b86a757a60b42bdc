"""Options of volumes."""

from __future__ import annotations

from translators.options.calls import REFUSED, UNIT, body, query
from translators.options.row import Option

_VOLUMES = f"{UNIT}/volumes/test_volumes.py"
VOLUMES: tuple[Option, ...] = (
    *query("volume.list", _VOLUMES, filters=""),
    *body("volume.create", _VOLUMES, Name="", Driver="`local` and `tritonnfs` are the same.", DriverOpts="", Labels="",
          ClusterVolumeSpec=(REFUSED, "A data center is no swarm.")),
    *query("volume.remove", _VOLUMES, force="1.25"),
    *query("volume.prune", _VOLUMES, filters="1.25"),
)  # fmt: skip
