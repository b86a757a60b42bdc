"""The gateway about itself: what becomes of everything a client can ask for."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from translators.capabilities import capabilities
from translators.errors import speaking_docker
from translators.options import compatibility

about = Resource("about")


@about.handles("gateway.capabilities")
def gateway_capabilities(call: Call) -> Reply:
    """Read the table of options for this data center, as its nodes are now."""
    from gateway.blueprints import RESOURCES

    with speaking_docker("problem reading the nodes' capabilities"):
        offered = capabilities(call)
    handled = [name for resource in RESOURCES for name in resource.handled]
    return Reply(body=compatibility.describe(handled, offered))
