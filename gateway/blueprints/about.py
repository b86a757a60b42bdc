"""The gateway about itself: what becomes of everything a client can ask for."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from middleware.censoring import censored
from translators.capabilities import capabilities
from translators.containers import explaining
from translators.containers.model import ContainerCreate
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


@about.handles("gateway.explain", model=ContainerCreate)
def gateway_explain(call: Call) -> Reply:
    """Tell what a create would do, without the values of its environment and other secrets."""
    told = explaining.explain(call, call.body, call.arg("name"))
    return Reply(body=censored(told | {"Payload": explaining.opened(told["Payload"])}))
