"""``docker-gateway``: run the gateway, look at it, and bring a whole data center up on one machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gateway.local.instance import BIN, ROOT, Instance

if TYPE_CHECKING:
    from gateway.settings import Settings


def _instance() -> Instance:
    try:
        return Instance.of(os.environ)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="triton-docker-gateway")
def main() -> None:
    """The Docker Engine API in front of a Triton data center.

    INSTANCE=<letter> chooses which local instance up, down and status mean; COMPUTE_NODES=<n> how many nodes it has.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does: members of the chain are found by dotted path
    if BIN not in os.get_exec_path():
        os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{BIN}"  # install.sh may have put docker there


_of_settings = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings file [$GATEWAY_CONFIG, else conf/gateway.toml]",
)


def _settings(config: str | None, environ: Mapping[str, str] | None = None) -> Settings:
    from gateway import settings

    try:
        return settings.load(config, environ)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_of_settings
def serve(config: str | None) -> NoReturn:
    """Run the gateway in the foreground, against the data center its settings name."""
    if config:
        os.environ["GATEWAY_CONFIG"] = config
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "conf" / "gunicorn.py")])  # noqa: S606


@main.command()
def up() -> None:
    """Bring up the embedded data center, the gateway, an account and its certificates."""
    from gateway.local import bringup

    instance = _instance()
    try:
        bringup.up(instance, click.echo)
    except bringup.BringUpError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"up: . {instance.folder}/env.sh, then docker ps")


@main.command()
def down() -> None:
    """Stop everything and leave nothing behind."""
    from gateway.local import bringup

    try:
        bringup.down(_instance(), click.echo)
    except bringup.BringUpError as error:
        raise click.ClickException(str(error)) from error


@main.command()
def status() -> None:
    """Say which processes of the instance run."""
    from gateway.local import bringup

    instance = bringup.as_told(_instance())
    missing = 0
    for process in bringup.processes(instance):
        pid = process.pid()
        missing += pid is None
        click.echo(f"{process.name:12} {f'running, pid {pid}' if pid else 'not running'}")
    click.echo(f"{'docker':12} {instance.docker_url}")
    click.echo(f"{'cloudapi':12} {instance.url('cloudapi')}")
    sys.exit(1 if missing else 0)


@main.command()
def doctor() -> None:
    """Say what is missing on this machine, and how to get it."""
    from gateway.local.doctor import examine

    findings = examine()
    for finding in findings:
        mark = "ok" if finding.found else "MISSING" if finding.needed else "absent"
        click.echo(f"{mark:8} {finding.what:34} {finding.found or finding.advice}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


@main.command()
def routes() -> None:
    """List every operation with its route and what becomes of it."""
    from gateway.blueprints import RESOURCES
    from gateway.operations import OPERATIONS

    handled = {name for resource in RESOURCES for name in resource.handled}
    for row in OPERATIONS:
        fate = "served" if row.name in handled or row.open else f"refused ({row.status})"
        click.echo(f"{row.name:28} {row.method:6} {row.path:36} {fate}")


@main.command()
@_of_settings
def middleware(config: str | None) -> None:
    """Print the effective chain of every operation, first to last."""
    from gateway.pipeline import Pipeline

    try:
        pipeline = Pipeline.load(_settings(config))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for operation, members in pipeline.describe():
        click.echo(f"{operation:28} {' -> '.join(members) or '(open)'}")


@main.command()
@_of_settings
@click.option("--all", "everything", is_flag=True, help="Also options that are honoured as on a Docker host")
def capabilities(config: str | None, everything: bool) -> None:
    """Print what the data center's compute nodes can do, and what becomes of every option with them.

    The data center is that of the settings file, without one the local instance's.
    """
    from gateway.blueprints import RESOURCES
    from gateway.capability_page import lines
    from sdc import DataCenterClients
    from sdc.cnapi import CAPABILITIES_KEY
    from sdc.errors import SdcError

    local = {} if config else _instance().gateway_environment()
    urls = _settings(config, {**local, **os.environ}).services
    names = urls.__struct_fields__
    clients = DataCenterClients.connect({name: getattr(urls, name) for name in names})
    try:
        servers = clients.cnapi.list_servers(extras="sysinfo")
    except SdcError as error:
        raise click.ClickException(str(error)) from error
    offered: set[str] = set()
    for server in servers:
        found = (server.get("sysinfo") or {}).get(CAPABILITIES_KEY) or []
        offered |= set(found)
        click.echo(f"{server['uuid']}  {server['status']:8} {', '.join(found) or '(a plain node)'}")
    handled = [name for resource in RESOURCES for name in resource.handled]
    for line in lines(handled, offered, everything=everything):
        click.echo(line)


if __name__ == "__main__":
    main()
