"""The table of options, as data: what becomes of everything a client can ask for.

The code that carries options out takes its lists from here, and tests hold every row against it.
``docs/compatibility.md``, ``docker-gateway capabilities`` and ``GET /gateway/capabilities`` are made from it.
"""

from __future__ import annotations

from translators.options.builds import BUILDS
from translators.options.create_config import CREATE
from translators.options.networks import NETWORKS
from translators.options.other_operations import OTHERS
from translators.options.row import Case, Fate, Option, Place
from translators.options.volumes import VOLUMES

__all__ = ["OPTIONS", "Case", "Fate", "Option", "Place"]

OPTIONS: tuple[Option, ...] = (*CREATE, *OTHERS, *BUILDS, *VOLUMES, *NETWORKS)
