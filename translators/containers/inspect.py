"""One container in full: a VM as Docker's inspect shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gateway.call import Call
from grammars import dockerids
from translators.containers import named_volumes, states, view
from translators.containers.disk_usage import sizes
from translators.containers.firewall import published_ports
from translators.containers.health import shown_check, shown_health
from translators.containers.host_defaults import HOST_CONFIG
from translators.containers.links import shown_links
from translators.containers.networks import shown_name
from translators.containers.packages import package_name
from translators.containers.ports import Port, port_name
from translators.containers.restart import shown_policy
from translators.containers.roster import roster
from translators.containers.shapes import shape_inspect
from translators.errors import speaking_docker
from translators.ids import container_name, docker_id, short_id

Vm = dict[str, Any]
Json = dict[str, Any]

_MIB = 1 << 20


def inspect(call: Call, ref: str) -> Json:
    """Describe a container, in the shape of the call's API version.

    Docker: GET /containers/{id}/json   SDC: VMAPI GET /vms, FWAPI GET /firewalls/vms/:uuid
    """
    with speaking_docker("problem looking for the container"):
        vm = roster(call).find(call.owner.uuid, ref)
    links = shown_links(call.state.links.of_container(call.owner.uuid, vm["uuid"]))
    with speaking_docker("problem inspecting container"):
        published, package = published_ports(call, vm), package_name(call, vm)
        described = describe(vm, published, package, partial(shown_name, call, vm), links)
    if call.flag("size"):
        described |= sizes(call, vm)
    return shape_inspect(described, call.version, short_id(vm))


def describe(
    vm: Vm, published: set[Port], package: str | None, network_name: Callable[[str], str], links: Sequence[str] = ()
) -> Json:
    """Translate a VM, with the ports its firewall opens and its links, into the newest shape of inspect."""
    words = states.command_words(vm)
    im = states.metadata(vm)
    return {
        "Id": docker_id(vm),
        "Created": vm.get("create_timestamp") or states.NEVER,
        "Path": words[0] if words else "",
        "Args": words[1:],
        "State": state(vm),
        "Image": view.image_id(vm),
        "ResolvConfPath": "/etc/resolv.conf",
        "HostnamePath": "/etc/hostname",
        "HostsPath": "/etc/hosts",
        "LogPath": "",
        "Name": container_name(vm),
        "RestartCount": int(im.get("docker:restartcount") or 0),
        "Driver": "sdc",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": _host_config(vm, published) | {"Links": list(links) or None},
        "GraphDriver": {"Name": "sdc", "Data": None},
        "Mounts": view.mounts(vm),
        "Config": container_config(vm, published, package),
        "NetworkSettings": _network_settings(vm, published, network_name),
    }


def state(vm: Vm) -> Json:
    """Translate the VM's state. Times of a run that is over stay until the next start."""
    word = states.status(vm)
    ran, up = states.has_run(vm) or states.is_running(vm), states.is_running(vm)
    health = shown_health(vm)
    return {
        "Status": word,
        "Running": up,
        "Paused": word == "paused",
        "Restarting": word == "restarting",
        "OOMKilled": vm.get("state") != "running" and states.metadata(vm).get("docker:oomkilled") in (True, "true"),
        "Dead": word == "dead",
        "Pid": int(vm.get("pid") or 0) if up else 0,
        "ExitCode": states.exit_code(vm) if word != "running" else 0,
        "Error": "",
        "StartedAt": (vm.get("boot_timestamp") if ran else None) or states.NEVER,
        "FinishedAt": vm.get("exit_timestamp") or states.last_end(vm).get("exit_timestamp") or states.NEVER,
        **({"Health": health} if health else {}),
    }


def container_config(vm: Vm, published: set[Port], package: str | None) -> Json:
    im, linux = states.metadata(vm), states.linux_options(vm)
    exposed = view.by_number(published | view.unpublished_ports(vm))
    config: Json = {
        "Hostname": vm.get("hostname") or "",
        "Domainname": vm.get("dns_domain") or "",
        "User": im.get("docker:user") or "",
        "AttachStdin": bool(im.get("docker:attach_stdin")),
        "AttachStdout": bool(im.get("docker:attach_stdout")),
        "AttachStderr": bool(im.get("docker:attach_stderr")),
        "ExposedPorts": {port_name(port): {} for port in exposed},
        "Tty": bool(im.get("docker:tty")),
        "OpenStdin": bool(im.get("docker:open_stdin")),
        "StdinOnce": bool(linux.get("StdinOnce", False)),
        "Env": states.json_metadata(vm, "docker:env", []),
        "Cmd": states.json_metadata(vm, "docker:cmd", []) or None,
        "Image": view.image_name(vm),
        "Volumes": {target: {} for target in view.own_volumes(vm)} or None,
        "WorkingDir": im.get("docker:workdir") or "",
        "Entrypoint": states.json_metadata(vm, "docker:entrypoint", []) or None,
        "OnBuild": None,
        "Labels": view.labels(vm, package),
    }
    if not exposed:
        del config["ExposedPorts"]
    if check := shown_check(vm):
        config["Healthcheck"] = check
    return config | {key: linux[key] for key in ("StopSignal", "StopTimeout") if key in linux}


def _host_config(vm: Vm, published: set[Port]) -> Json:
    im, kept = states.metadata(vm), view.host_config(vm)
    derived: Json = {
        "LogConfig": {
            "Type": im.get("docker:logdriver") or "json-file",
            "Config": states.json_metadata(vm, "docker:logconfig", {}),
        },
        "NetworkMode": view.network_mode(vm),
        "PortBindings": {port_name(port): _bindings(vm, port, "") for port in view.by_number(published)},
        "RestartPolicy": shown_policy(im.get("docker:restartpolicy")),
        "AutoRemove": bool(im.get("docker:autoremove")),
        "PublishAllPorts": bool(im.get("docker:publish_all_ports")),
        "ExtraHosts": states.json_metadata(vm, "docker:extraHosts", []) or None,
        "VolumesFrom": [
            dockerids.short(dockerids.undashed(u)) for u in states.json_metadata(vm, "docker:volumesfrom", [])
        ]
        or None,
        "Memory": int(vm.get("max_physical_memory") or 0) * _MIB,
        "MemorySwap": int(vm.get("max_swap") or 0) * _MIB,
        "CpuShares": int(vm.get("cpu_shares") or 0),
    }
    if not kept:  # made by another gateway, or without any such option
        derived["Binds"] = named_volumes.binds(vm) or None
        derived["Dns"] = vm.get("resolvers") or []
        derived["DnsSearch"] = states.json_metadata(vm, "docker:dnssearch", [])
    if "Memory" in kept:
        derived["MemorySwap"] = 2 * kept["Memory"]
    return HOST_CONFIG | derived | {k: v for k, v in kept.items() if k not in {"NetworkMode", "AutoRemove"}}


def _bindings(vm: Vm, port: Port, ip: str) -> list[Json]:
    return [{"HostIp": ip, "HostPort": str(number)} for number in view.host_ports(vm, port)]


def _network_settings(vm: Vm, published: set[Port], network_name: Callable[[str], str]) -> Json:
    primary = next(iter(view.nics(vm)), {})
    first = view.endpoint(primary, vm)
    ports: dict[str, list[Json] | None] = {}
    if states.is_running(vm):
        ports = {port_name(port): None for port in view.unpublished_ports(vm)}
        ip = view.address(vm)
        ports |= {port_name(port): _bindings(vm, port, ip) for port in published}
    return {
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": "",
        "Ports": dict(sorted(ports.items())),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": first["EndpointID"],
        "Gateway": first["Gateway"],
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": first["IPAddress"],
        "IPPrefixLen": first["IPPrefixLen"],
        "IPv6Gateway": "",
        "MacAddress": first["MacAddress"],
        "Networks": view.networks(vm, network_name),
    }
