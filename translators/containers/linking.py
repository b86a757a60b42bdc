"""Legacy links in use: found when a container is made, refreshed when it starts, cut with ``docker rm --link``."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from gateway.state.links import Link
from translators.containers.firewall import published_ports
from translators.containers.links import Linked, link_metadata, linked_ports, parse_links, stored_metadata
from translators.containers.lookup import find_container, mine
from translators.containers.model import HostConfig
from translators.containers.networks import DEFAULT_MODES
from translators.errors import speaking_docker

Vm = dict[str, Any]


def plan_links(call: Call, host: HostConfig) -> list[Linked]:
    """Find the containers that a new one on the default network links to; on others, links are names alone.

    Raises InvalidParameter for one that is not the account's, as dockerd does: a client takes 404 for a missing
    image.

    SDC: VMAPI GET /vms, FWAPI GET /firewalls/vms/:uuid
    """
    if host.NetworkMode not in DEFAULT_MODES:
        return []
    linked = []
    for target, alias in parse_links(host.Links):
        try:
            vm = find_container(call, target)
        except NotFound as error:
            raise InvalidParameter(f"could not get container for {target}: {error.message}") from error
        with speaking_docker("problem linking containers"):
            linked.append(_linked(call, vm, alias))
    return linked


def keep_links(call: Call, payload: dict[str, Any], linked: list[Linked]) -> None:
    """Write down the links of a container that is about to be made."""
    if linked:
        call.state.links.add(
            Link(
                owner_uuid=call.owner.uuid,
                container_uuid=payload["uuid"],
                container_name=payload["alias"],
                target_uuid=target.vm["uuid"],
                target_name=target.vm["alias"],
                alias=target.alias,
            )
            for target in linked
        )


def link_update(call: Call, vm: Vm) -> dict[str, Any]:
    """Return the parameters with which a start makes a container's link metadata true: none when it is.

    A container without records is left as it is: another gateway may have made it, and its links. Cut links are
    forgotten only when the metadata is seen to be without them. Raises SdcError.

    SDC: VMAPI GET /vms, FWAPI GET /firewalls/vms/:uuid (containers with links only)
    """
    links = call.state.links.of_container(vm["owner_uuid"], vm["uuid"])
    if not links:
        return {}
    wanted = link_metadata(vm["alias"], _still_linked(call, links))
    if wanted != stored_metadata(vm):
        return {"update": {"set_internal_metadata": wanted}}
    if any(link.cut for link in links):
        call.state.links.drop_cut(vm["owner_uuid"], vm["uuid"])
    return {}


def _still_linked(call: Call, links: list[Link]) -> list[Linked]:
    """Look at the targets as they are now; leave out those that were removed, by whomever."""
    whole = [link for link in links if not link.cut]
    if not whole:
        return []
    terms = [{"eq": ["uuid", link.target_uuid]} for link in whole]
    targets = {"or": terms} if len(terms) > 1 else terms[0]
    vms = {vm["uuid"]: vm for vm in call.services.vmapi.list_vms(predicate=mine(whole[0].owner_uuid, targets))}
    return [_linked(call, vms[link.target_uuid], link.alias) for link in whole if link.target_uuid in vms]


def _linked(call: Call, vm: Vm, alias: str) -> Linked:
    return Linked(vm, alias, linked_ports(vm, published_ports(call, vm)))


def remove_link(call: Call, ref: str, alias: str) -> None:
    """Cut a container's link; a running process keeps what it was started with. Raises NotFound.

    Docker: DELETE /containers/{id}/{alias}?link=1
    """
    if not (call.flag("link") and call.state.links.cut(call.owner.uuid, find_container(call, ref)["uuid"], alias)):
        raise NotFound(f"No such container: {ref}/{alias}")
