"""One module per Docker resource; a handler parses, calls its use case and shapes the reply."""

from __future__ import annotations

from gateway.blueprints.about import about
from gateway.blueprints.archive import archive
from gateway.blueprints.binding import Resource
from gateway.blueprints.containers import containers
from gateway.blueprints.events import events
from gateway.blueprints.execs import execs
from gateway.blueprints.images import images
from gateway.blueprints.networks import networks
from gateway.blueprints.system import system
from gateway.blueprints.volumes import volumes

RESOURCES: tuple[Resource, ...] = (system, containers, execs, images, events, archive, about, volumes, networks)
