"""Create a container: check, decide, write the payload, open the firewall, have VMAPI make the VM."""

from __future__ import annotations

import uuid
from typing import Any

from gateway.call import Call
from gateway.errors import InternalError, InvalidParameter, NotFound
from gateway.state.undertakings import CREATE
from grammars import dockerids
from sdc.errors import SdcError, SdcUnavailable
from translators.capabilities import capabilities, catalogue
from translators.containers import host_binds, named_volumes, volumes
from translators.containers.command import merge_command
from translators.containers.endpoint_names import NETWORK_NAMES
from translators.containers.firewall import add_rules, plan_rules
from translators.containers.health import HEALTH, health_warning, merge_health
from translators.containers.linking import keep_links, plan_links
from translators.containers.links import link_metadata
from translators.containers.linux import Ground, plan_linux
from translators.containers.log_config import plan_log
from translators.containers.lookup import find_container, mine
from translators.containers.model import ContainerCreate, RestartPolicy
from translators.containers.network_sharing import beside, find_sharer, share
from translators.containers.networks import dns_suffixes, name_predefined, plan_networks
from translators.containers.packages import size_warnings
from translators.containers.payload import Parts, Payload, build_payload
from translators.containers.ports import PORT_REMAPPING, plan_ports
from translators.containers.restart import RESTART_POLICIES, policy_warning, stored_policy
from translators.containers.source import Source, find_source
from translators.containers.validation import validate
from translators.errors import explain, speaking_docker
from translators.events.recorder import observe
from translators.ids import docker_id
from translators.jobs import run_job
from translators.labels import to_tags
from translators.names import check_name, name_conflict, random_name
from translators.platforms import check_platform
from translators.volumes.for_container import make_special, tell_made
from translators.volumes.reach import join_for_volumes

DOING = "problem creating container"
_NAME_TRIES = 5


def create(call: Call, body: ContainerCreate, name: str = "", source: Source | None = None) -> dict[str, Any]:
    """Make a container that does not run yet; return Docker's ``{"Id", "Warnings"}``.

    ``source`` is an image that no account has a name for; else the body names one of the account's.

    ``call.hints["package"]`` is the PAPI package it gets. When anything fails after something was made, what was
    made is taken back by ``call.undo``; a client that leaves while VMAPI is at it changes nothing.

    Docker: POST /containers/create   SDC: VMAPI POST /vms, FWAPI POST /rules
    """
    payload, warnings, alias = plan(call, body, name, source)
    linked = plan_links(call, body.HostConfig)
    payload = _prepare(call, payload)
    fresh = make_special(call, payload, named_volumes.special(body.HostConfig.Mounts))
    for tries_left in reversed(range(_NAME_TRIES)):
        payload["internal_metadata"] |= link_metadata(payload["alias"], linked)
        keep_links(call, payload, linked)
        try:
            run_job(call, payload["uuid"], "provision", lambda: _submit(call, payload))
            break
        except SdcError as error:
            if "alias" not in error.field_errors("Duplicate"):
                raise explain(error, DOING) from error
            if alias or not tries_left:
                raise name_conflict(payload["alias"], holder(call, payload["alias"])) from error
            payload["alias"] = random_name()
    tell_made(call, fresh)
    observe(call, {**payload, "state": "stopped"}, new=True)
    call.state.reservations.release(payload["uuid"])  # VMAPI lists the VM from now on
    call.state.undertakings.end(CREATE, payload["uuid"])
    return {"Id": payload["internal_metadata"]["docker:id"], "Warnings": warnings}


def plan(call: Call, body: ContainerCreate, name: str, source: Source | None = None) -> tuple[Payload, list[str], str]:
    """Check a request and write its payload; return it, its warnings, and the name that was asked for.

    Nothing is made yet, and no member of the chain has seen the payload.
    """
    alias = check_name(name) if name else ""
    validate(body, call.version)
    name_predefined(call, body)
    check_platform(call.arg("platform"))
    if not body.Image:
        raise InvalidParameter("no image was named: Image must not be empty")
    payload, warnings = _decide(call, body, source)
    payload["alias"] = alias or random_name()
    return payload, warnings, alias


def _decide(call: Call, body: ContainerCreate, source: Source | None) -> tuple[Payload, list[str]]:
    """Turn the request into a payload and its warnings; nothing is made yet."""
    image, config = source or find_source(call, body.Image)
    ground = _ground(call)
    offered = ground.offered
    sharer = find_sharer(call, body)
    policies, checked = (name in offered for name in (RESTART_POLICIES, HEALTH))
    vm_uuid = str(uuid.uuid4())
    container_id = dockerids.new_docker_id(vm_uuid)
    ports = plan_ports(body, config.get("ExposedPorts") or (), remaps=PORT_REMAPPING in offered)
    networks = plan_networks(
        call, body, publishes=bool(ports.published), can_disconnect=ground.linux, names=NETWORK_NAMES in offered
    )
    linux = share(plan_linux(body, config, ground, no_network=networks.disconnected), sharer)
    restart = body.HostConfig.RestartPolicy or RestartPolicy()
    check = merge_health(body, config, call.version)
    mounted, sources, shared = _mounts(call, body, config, offered)
    join_for_volumes(call, networks, (volume.name for volume in mounted.named))
    linux.options |= _told(mounted, offered)
    parts = Parts(
        uuid=vm_uuid,
        docker_id=container_id,
        alias="",
        owner_uuid=call.owner.uuid,
        package_uuid=str(ground.package["uuid"]),
        image=image,
        command=merge_command(body, config),
        log=plan_log(
            body.HostConfig.LogConfig,
            docker_id=container_id,
            enabled=call.config.log_drivers,
            default_size=call.config.max_log_size,
        ),
        ports=ports,
        networks=networks,
        linux=linux,
        health=check if checked else None,
        restart_policy=stored_policy(restart, supported=policies),
        filesystems=[*shared, *volumes.new_filesystems(mounted, shared)],
        volumes=[volume.payload() for volume in mounted.named],
        volumes_from=sources,
        tags=to_tags({**(config.get("Labels") or {}), **body.Labels}),
        search=dns_suffixes(call, networks.networks),
    )
    payload = build_payload(body, parts) | beside(sharer)
    payload["firewall_rules"] = plan_rules(call, vm_uuid, ports.published)
    more = [policy_warning(restart, supported=policies), health_warning(check, supported=checked)]
    sizes = size_warnings(body.HostConfig, ground.package, for_cpus=bool(call.hints.get("package_for_cpus")))
    return payload, [*sizes, *ports.warnings, *networks.warnings, *linux.warnings, *(text for text in more if text)]


def _ground(call: Call) -> Ground:
    with speaking_docker(DOING):
        nodes = catalogue(call)
        return Ground(
            offered=capabilities(call),
            trusted=is_trusted(call),
            ulimits=nodes.ulimits(),
            cpus=nodes.most_cpus(),
            package=_package(call),
        )


def is_trusted(call: Call) -> bool:
    """Whether the operator lets the account reach out of its containers."""
    return bool({"*", call.owner.login} & set(call.config.trusted_accounts))


def _may_bind(call: Call, offered: frozenset[str]) -> bool:
    """Whether the operator lets the account have folders of the compute nodes, and these take part."""
    return host_binds.HOST_BINDS in offered and bool({"*", call.owner.login} & set(call.config.host_bind_accounts))


def _package(call: Call) -> dict[str, Any]:
    package = call.hints.get("package")
    if not package:
        raise InternalError(f"{DOING}: no member of the chain chose a package")
    return dict(package)


def _mounts(
    call: Call, body: ContainerCreate, config: dict[str, Any], offered: frozenset[str]
) -> tuple[volumes.VolumePlan, list[str], list[dict[str, Any]]]:
    """Plan what is mounted; with the VMs that ``--volumes-from`` names, and the filesystems they share."""
    prefixes = call.config.host_binds if _may_bind(call, offered) else ()
    mounted = volumes.plan_volumes(body, config.get("Volumes") or (), prefixes)
    return mounted, *_volumes_from(call, body.HostConfig.VolumesFrom, mounted, prefixes)


def _told(mounted: volumes.VolumePlan, offered: frozenset[str]) -> dict[str, Any]:
    """Write what nodes are told of mounts in ``docker:linux``."""
    options = named_volumes.node_options(mounted.named, offered)
    binds = [bind.told() for bind in mounted.binds]
    return ({"VolumeOptions": options} if options else {}) | ({"HostBinds": binds} if binds else {})


def _volumes_from(
    call: Call, entries: list[str], plan: volumes.VolumePlan, prefixes: tuple[str, ...]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Resolve ``--volumes-from`` to VM uuids and the filesystems they share; all else goes into the plan."""
    uuids, shared = [], []
    for name, mode in volumes.parse_volumes_from(entries):
        try:
            source = find_container(call, name)
        except NotFound as error:
            raise InvalidParameter(f"No such container: {name}") from error
        uuids.append(source["uuid"])
        shared += volumes.shared_filesystems(source, mode)
        taken = plan.taken
        more: list[volumes.Mounted] = [*named_volumes.shared(source, mode), *host_binds.shared(source, mode, prefixes)]
        for mount in more:
            if mount.target not in taken:
                plan.add_mount(mount)
    return uuids, shared


def _prepare(call: Call, payload: Payload) -> Payload:
    """Let the chain see the payload, then make its firewall rules; from here on a failure has to be taken back.

    The undertaking is written down first, so that others take back what a worker that dies has made.
    """
    vm_uuid, owner_uuid = payload["uuid"], call.owner.uuid
    call.state.undertakings.begin(CREATE, vm_uuid, owner_uuid)
    call.undo.append(lambda: call.state.undertakings.end(CREATE, vm_uuid))
    payload = call.provision(payload)
    with speaking_docker("problem adding firewall rules"):
        payload["firewall_rules"] = add_rules(call, payload["firewall_rules"], vm_uuid)
    call.undo.append(lambda: _take_back(call, vm_uuid, owner_uuid))
    return payload


def _submit(call: Call, payload: Payload) -> str:
    """Submit once more after a lost answer: a VM that is a duplicate of itself got through the first time."""
    vmapi = call.services.vmapi
    try:
        return vmapi.create_vm(payload)
    except SdcError as error:
        if isinstance(error, SdcUnavailable) or "uuid" not in error.field_errors("Duplicate"):
            raise
        return str(vmapi.list_vm_jobs(payload["uuid"])[0]["uuid"])


def _take_back(call: Call, vm_uuid: str, owner_uuid: str) -> None:
    call.state.links.remove_container(owner_uuid, vm_uuid)
    try:
        call.services.vmapi.delete_vm(vm_uuid, owner_uuid)
    except SdcError:  # VMAPI is away, or does not know the VM: it may still hear of it
        call.state.undertakings.leave(CREATE, vm_uuid, owner_uuid, unwanted=True)


def holder(call: Call, alias: str) -> str:
    """Return the id of the container that has a name."""
    with speaking_docker(DOING):
        vms = call.services.vmapi.list_vms(predicate=mine(call.owner.uuid, {"eq": ["alias", alias]}))
    return docker_id(vms[0]) if vms else ""
