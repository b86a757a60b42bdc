"""Up and down: the processes of an instance in the right order, its account, certificates and first image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.local.instance import BIN, ROOT, Instance
from gateway.local.processes import Process

Say = Callable[[str], None]

PING = {
    "uuid": "27775f65-0000-4000-8000-000000000001",
    "description": "allow pings to all VMs",
    "rule": "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0",
    "enabled": True,
    "global": True,
}
"""The firewall rule that every data center begins with. Facts: sdc-headnode ``scripts/headnode.sh``."""


class BringUpError(Exception):
    """Something did not come up; the message says what and where its log is."""


def processes(instance: Instance) -> list[Process]:
    """All processes of an instance, in the order in which they start."""
    folder, settings = instance.folder, str(instance.datacenter_file)
    python = sys.executable
    services = [python, "-m", "datacenter.services", "--settings", settings]
    found = [Process(name="services", command=services, folder=folder)]
    for number in range(instance.nodes):
        node = [python, "-m", "datacenter.node", "--settings", settings, "--number", str(number)]
        found.append(Process(name=f"node-{number}", command=node, folder=folder))
    if instance.simulated:
        simulation = [python, "-m", "datacenter.simulation", "--settings", settings]
        found.append(Process(name="simulated-nodes", command=simulation, folder=folder))
    gateway = [python, "-m", "gunicorn", "-c", str(ROOT / "conf" / "gunicorn.py")]
    environment = instance.gateway_environment()
    # QUIT ends streams at once; on TERM gunicorn would wait for every attached client
    kept = Process(name="gateway", command=gateway, folder=folder, environment=environment, stop_signal="QUIT")
    found.append(kept)
    return found


def up(instance: Instance, say: Say) -> None:
    """Bring everything up that is not; safe to repeat. Raises BringUpError."""
    _check_kind(instance)
    before = _told(instance)
    instance.write_datacenter_file()
    *south, gateway = processes(instance)
    started = [process for process in south if process.start()]
    for process in started:
        say(f"started {process.name}")
    if len(started) < len(south):
        _say_what_nobody_heard(before, _told(instance), say)
    _await(lambda: _get(f"{instance.url('vmapi')}/ping"), "the data center's services", south[0])
    _await(lambda: _nodes_ready(instance), "the compute nodes", south[-1])
    if instance.simulated:
        say(f"{instance.simulated} compute nodes are simulated: containers are records, nothing runs in them")
    _make_account(instance, say)
    if gateway.start():
        say(f"started {gateway.name}")
    socket = str(instance.folder / "docker.sock")
    _await(lambda: _ping_socket(socket), "the gateway", gateway)
    _make_certificates(instance, say)
    _import_busybox(instance, say)


def down(instance: Instance, say: Say) -> None:
    """Stop everything, take all containers and the instance's folder away. Raises BringUpError when something stays."""
    if not instance.datacenter_file.exists():
        say("nothing is up")
        return
    instance = as_told(instance)
    for process in reversed(processes(instance)):
        process.stop()
        say(f"stopped {process.name}")
    left = [number for number in range(instance.nodes) if not _clean_up(instance, number)]
    if left:
        raise BringUpError(f"not everything could be removed from compute nodes {left}: run it again, or see the above")
    shutil.rmtree(instance.folder)
    say(f"removed {instance.folder}")


def _told(instance: Instance) -> dict[str, Any]:
    """What the instance was told when it was made; nothing when it is new."""
    file = instance.datacenter_file
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _say_what_nobody_heard(before: dict[str, Any], now: dict[str, Any], say: Say) -> None:
    """Say which settings are others than those that the running processes were started with."""
    changed = sorted(name for name in now if name in before and before[name] != now[name])
    if changed:
        names = ", ".join(changed)
        say(f"{names}: what runs already goes on as it was told before, until it is taken down and up again")


def as_told(instance: Instance) -> Instance:
    """The instance with the compute nodes it was brought up with, whatever the environment says now."""
    told = _told(instance)
    nodes, simulated = told.get("nodes", instance.nodes), told.get("simulated_nodes", instance.simulated)
    return replace(instance, nodes=int(nodes), simulated=int(simulated))


def _check_kind(instance: Instance) -> None:
    """Refuse to make simulated nodes of real ones, or the other way round: their containers are none here."""
    was = bool(_told(instance).get("simulated_nodes"))
    if instance.datacenter_file.exists() and was != bool(instance.simulated):
        kind = "simulated" if was else "real"
        raise BringUpError(f"the compute nodes of {instance.folder} are {kind}: take it down first")


def _clean_up(instance: Instance, number: int) -> bool:
    """Take away all containers of a node, its bridges, namespaces and mounts."""
    command = [sys.executable, "-m", "datacenter.node", "--settings", str(instance.datacenter_file)]
    return subprocess.run([*command, "--number", str(number), "--cleanup"], check=False).returncode == 0


def _await(ready: Callable[[], Any], what: str, process: Process, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except (OSError, ValueError):
            pass  # not there yet
        time.sleep(0.05)
    raise BringUpError(f"{what} did not come up in {seconds:g} s: see {process.log_file}")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own services on loopback
        return json.loads(answer.read() or b"{}") or True


def _nodes_ready(instance: Instance) -> bool:
    servers = _get(f"{instance.url('cnapi')}/servers")
    return (
        isinstance(servers, list)
        and sum(server["status"] == "running" for server in servers) >= instance.nodes + instance.simulated
    )


def _ping_socket(path: str) -> bool:
    answer = subprocess.run(
        ["curl", "-sf", "--max-time", "2", "--unix-socket", path, "http://docker/_ping"],
        capture_output=True,
        check=False,
    )
    return answer.stdout == b"OK"


def _make_account(instance: Instance, say: Say) -> None:
    key = instance.folder / "id_rsa"
    if not key.exists():
        command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-C", instance.account]
        subprocess.run([*command, "-f", str(key)], check=True)
    body = {"login": instance.account, "ssh_public_key": key.with_suffix(".pub").read_text().strip()}
    try:
        _get(f"{instance.url('mahi')}/accounts?login={instance.account}")
        return
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    _allow_ping(instance)
    _post(f"{instance.url('mahi')}/embedded/accounts", body)
    say(f"made the account {instance.account}")


def _allow_ping(instance: Instance) -> None:
    """Give a new data center the rule that a head node's set-up gives it; one that has it is left alone."""
    try:
        _post(f"{instance.url('fwapi')}/rules", PING)
    except urllib.error.HTTPError as error:
        if error.code != 422:
            raise


def _post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own service on loopback
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def _make_certificates(instance: Instance, say: Say) -> None:
    """Run the setup script as a person would, into the instance's folder."""
    certs, env_file = instance.folder / "certs", instance.folder / "env.sh"
    if env_file.exists():
        return
    script = [str(ROOT / "tools" / "sdc-docker-setup.sh"), "-q", "-s", "-d", str(certs)]
    script += [instance.url("cloudapi"), instance.account, str(instance.folder / "id_rsa")]
    done = subprocess.run(["sh", *script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BringUpError(f"the setup script failed: {done.stderr.strip() or done.stdout.strip()}")
    env_file.write_text(f'{(certs / "env.sh").read_text()}export PATH="$PATH:{BIN}"\n')
    say(f"made certificates: {env_file} points a docker client at the gateway")


def _import_busybox(instance: Instance, say: Say) -> None:
    docker = shutil.which("docker")
    if docker is None:
        say("no docker client on this machine: no image was imported")
        return
    host = ["-H", f"unix://{instance.folder}/docker.sock"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    known = subprocess.run(
        [docker, *host, "image", "inspect", "busybox"], capture_output=True, env=environ, check=False
    )
    if known.returncode == 0:
        return
    archive = instance.folder / "busybox.tar"
    subprocess.run(["sh", str(ROOT / "tools" / "busybox-image.sh"), str(archive)], check=True)
    changes = ["-c", 'CMD ["sh"]', "-c", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    command = [docker, *host, "import", *changes, str(archive), "busybox:latest"]
    subprocess.run(command, check=True, capture_output=True, env=environ)
    Path(archive).unlink()
    say("imported the image busybox:latest")
