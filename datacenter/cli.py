"""``datacenter``: look at the embedded data center and change it, through its services' own doors."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click
import msgspec

from datacenter.settings import DcSettings, load

TIMEOUT = 30.0

Doc = dict[str, Any]


class Doors:
    """The services of one instance over HTTP."""

    def __init__(self, settings: DcSettings) -> None:
        self.settings = settings

    def ask(self, service: str, method: str, path: str, body: object = None) -> Any:
        """Call a service. Raises ClickException with the service's own sentence when it refuses."""
        parts = urlsplit(self.settings.url(service))
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise click.ClickException(f"{service} does not answer at {parts.netloc}: is it up?") from error
        finally:
            connection.close()
        told = msgspec.json.decode(text) if text.strip() else None
        if answer.status >= 400:
            raise click.ClickException(_sentence(told, answer.status))
        return told

    def account(self, login: str) -> Doc:
        found: Doc = self.ask("mahi", "GET", f"/embedded/accounts/{quote(login, safe='')}")
        return found


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("var/datacenter.json"),
    envvar="DATACENTER_SETTINGS",
    show_default=True,
    help="The instance's settings, which `docker-gateway up` writes. [DATACENTER_SETTINGS]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what the service answered, as JSON.")
@click.pass_context
def main(context: click.Context, settings: Path, as_json: bool) -> None:
    """Look at an embedded data center, and change its accounts, packages, networks and nodes."""
    context.obj = Doors(load(settings))
    context.meta["json"] = as_json


@main.command()
@click.argument("login", required=False)
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="OpenSSH public key to add.")
@click.option("--approved/--not-approved", default=None, help="Whether the account may provision.")
@click.option("--operator/--no-operator", default=None, help="Whether it is an operator's account.")
@click.pass_obj
def accounts(doors: Doors, login: str | None, key: Path | None, approved: bool | None, operator: bool | None) -> None:
    """List accounts; with LOGIN show one, or make or change it as the options say."""
    if login is None:
        _table(doors.ask("mahi", "GET", "/embedded/accounts"), "login uuid approved_for_provisioning")
        return
    given = {"ssh_public_key": key and key.read_text().strip(), "approved": approved, "operator": operator}
    given = {name: value for name, value in given.items() if value is not None}
    if given:
        doors.ask("mahi", "POST", "/embedded/accounts", {"login": login, **given})
    _table([doors.account(login)], "login uuid approved_for_provisioning")


@main.command()
@click.argument("login")
@click.option("--add", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="OpenSSH public key file.")
@click.option("--name", help="The added key's name. [its comment]")
@click.option("--remove", help="Name or MD5 fingerprint of the key to take away.")
@click.pass_obj
def keys(doors: Doors, login: str, add: Path | None, name: str | None, remove: str | None) -> None:
    """List the SSH keys of the account LOGIN, after adding or removing one."""
    path = f"/embedded/accounts/{quote(login, safe='')}/keys"
    if add:
        doors.ask("mahi", "POST", path, {"key": add.read_text().strip(), "name": name})
    if remove:
        doors.ask("mahi", "DELETE", f"{path}/{quote(remove, safe='')}")
    known = doors.account(login)["key_names"]
    _table([{"name": key, "fingerprint": fingerprint} for key, fingerprint in known.items()], "name fingerprint")


@main.command()
@click.argument("login")
@click.argument("user", required=False)
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="OpenSSH public key to add.")
@click.option("--remove", is_flag=True, help="Delete USER.")
@click.pass_obj
def users(doors: Doors, login: str, user: str | None, key: Path | None, remove: bool) -> None:
    """List the sub-users of the account LOGIN; with USER make it, add a key to it, or delete it."""
    path = _within(login, "users")
    known = [one["login"] for one in doors.ask("mahi", "GET", path)]
    if user and remove:
        doors.ask("mahi", "DELETE", f"{path}/{quote(user, safe='')}")
    elif user and user not in known:
        doors.ask("mahi", "POST", path, {"login": user, **({"key": key.read_text().strip()} if key else {})})
    elif user and key:
        doors.ask("mahi", "POST", f"{path}/{quote(user, safe='')}/keys", {"key": key.read_text().strip()})
    found = doors.ask("mahi", "GET", path)
    _table([{**one, "keys": ",".join(one["key_names"])} for one in found], "login uuid keys")


@main.command()
@click.argument("login")
@click.argument("role", required=False)
@click.option("--member", multiple=True, help="Sub-user who may act under it. May be given several times.")
@click.option("--default", multiple=True, help="Sub-user who always acts under it.")
@click.option("--account", multiple=True, help="Another account that always acts under it.")
@click.option("--policy", multiple=True, help="Policy that it brings.")
@click.option("--remove", is_flag=True, help="Delete ROLE.")
@click.pass_obj
def roles(
    doors: Doors,
    login: str,
    role: str | None,
    *,
    member: tuple[str, ...],
    default: tuple[str, ...],
    account: tuple[str, ...],
    policy: tuple[str, ...],
    remove: bool,
) -> None:
    """List the roles of the account LOGIN; with ROLE make it, change it, or delete it.

    Members or policies that are given take the place of those there were. Who is in the role `administrator` by
    default may use Docker as the account.
    """
    path = _within(login, "roles")
    members: list[Doc | str] = [*member, *({"type": "subuser", "login": name, "default": True} for name in default)]
    members += [{"type": "account", "login": name, "default": True} for name in account]
    given: Doc = {"members": members} if members else {}
    if policy:
        given["policies"] = policy
    if role and remove:
        doors.ask("mahi", "DELETE", f"{path}/{quote(role, safe='')}")
    elif role:
        known = any(one["name"] == role for one in doors.ask("mahi", "GET", path))
        if not known:
            doors.ask("mahi", "POST", path, {"name": role, **given})
        elif given:
            doors.ask("mahi", "PUT", f"{path}/{quote(role, safe='')}", given)
    names = _names_of(doors, login)
    found = doors.ask("mahi", "GET", path)
    lists = ("members", "default_members", "policies")
    _table(
        [{**one, **{kind: ",".join(names.get(uuid, uuid) for uuid in one[kind]) for kind in lists}} for one in found],
        "name members default_members policies",
    )


@main.command()
@click.argument("login")
@click.argument("policy", required=False)
@click.option("--rule", multiple=True, help="One rule, e.g. `CAN getmachine AND listmachines`.")
@click.option("--remove", is_flag=True, help="Delete POLICY.")
@click.pass_obj
def policies(doors: Doors, login: str, policy: str | None, rule: tuple[str, ...], remove: bool) -> None:
    """List the policies of the account LOGIN; with POLICY make it of rules, change its rules, or delete it."""
    path = _within(login, "policies")
    if policy and remove:
        doors.ask("mahi", "DELETE", f"{path}/{quote(policy, safe='')}")
    elif policy:
        known = any(one["name"] == policy for one in doors.ask("mahi", "GET", path))
        if not known:
            doors.ask("mahi", "POST", path, {"name": policy, "rules": rule})
        elif rule:
            doors.ask("mahi", "PUT", f"{path}/{quote(policy, safe='')}", {"rules": rule})
    _table([{**one, "rules": "; ".join(one["rules"])} for one in doors.ask("mahi", "GET", path)], "name rules")


@main.command()
@click.argument("login")
@click.option("--set", "limit", help='One limit as JSON, e.g. {"by": "ram", "value": 4096}.')
@click.option("--clear", is_flag=True, help="Take all limits away first.")
@click.pass_obj
def limits(doors: Doors, login: str, limit: str | None, clear: bool) -> None:
    """List what the account LOGIN may have in this data center, after changing it."""
    here = doors.settings.name
    entries = doors.account(login).get("limits", [])
    others = [entry for entry in entries if entry["datacenter"] != here]
    texts = [] if clear else _limit_texts(entries, here)
    if limit:
        texts.append(limit)
    if limit or clear:
        kept = [*others, {"datacenter": here, "limit": texts}] if texts else others
        doors.ask("mahi", "PUT", f"/embedded/accounts/{quote(login, safe='')}", {"limits": kept or None})
    _table([json.loads(text) for text in texts], "by value check os image brand")


@main.command()
@click.option("--name", help="Only those of this name; `*` stands for anything.")
@click.option("--add", help='Add one: JSON such as {"name": "mine", "max_physical_memory": 512}.')
@click.pass_obj
def packages(doors: Doors, name: str | None, add: str | None) -> None:
    """List packages (sizes in MiB), or add one: what --add leaves out is as in sample-1G."""
    if add:
        (sample,) = doors.ask("papi", "GET", "/packages?name=sample-1G")
        own = {key: value for key, value in sample.items() if key not in ("uuid", "v")}
        doors.ask("papi", "POST", "/packages", {**own, **_object(add)})
    query = f"?{urlencode({'name': name})}" if name else ""
    _table(doors.ask("papi", "GET", f"/packages{query}"), "name uuid max_physical_memory quota cpu_cap active")


@main.command()
@click.option("--account", help="Only those this account may use: login or uuid.")
@click.option("--add", help='Add a physical one: JSON with "name", "subnet", "nic_tag" and so on.')
@click.pass_obj
def networks(doors: Doors, account: str | None, add: str | None) -> None:
    """List networks, or add one."""
    if add:
        doors.ask("napi", "POST", "/networks", _object(add))
    query = f"?provisionable_by={doors.account(account)['uuid']}" if account else ""
    _table(doors.ask("napi", "GET", f"/networks{query}"), "name uuid subnet gateway nic_tag vlan_id")


@main.command()
@click.argument("server", required=False)
@click.option("--reserved/--not-reserved", default=None, help="Whether new VMs are kept off the node.")
@click.option("--traits", help='Traits as JSON, e.g. {"ssd": true}.')
@click.pass_obj
def nodes(doors: Doors, server: str | None, reserved: bool | None, traits: str | None) -> None:
    """List compute nodes and what is free on them, after changing SERVER (hostname or uuid)."""
    known = doors.ask("cnapi", "GET", "/servers?extras=capacity")
    changes: Doc = {} if reserved is None else {"reserved": reserved}
    if traits:
        changes["traits"] = _object(traits)
    if server:
        known = [node for node in known if server in (node["hostname"], node["uuid"])]
        if not known:
            raise click.ClickException(f"there is no node {server}")
        if changes:
            doors.ask("cnapi", "POST", f"/servers/{known[0]['uuid']}", changes)
            known = [doors.ask("cnapi", "GET", f"/servers/{known[0]['uuid']}")]
    _table(known, "hostname uuid status reserved unreserved_ram unreserved_disk unreserved_cpu")


def _within(login: str, kind: str) -> str:
    return f"/embedded/accounts/{quote(login, safe='')}/{kind}"


def _names_of(doors: Doors, login: str) -> dict[str, str]:
    """Names by uuid of everybody and everything that a role may have."""
    names = {one["uuid"]: one["login"] for one in doors.ask("mahi", "GET", "/embedded/accounts")}
    names.update((one["uuid"], one["login"]) for one in doors.ask("mahi", "GET", _within(login, "users")))
    names.update((one["uuid"], one["name"]) for one in doors.ask("mahi", "GET", _within(login, "policies")))
    return names


def _table(found: list[Doc], columns: str) -> None:
    """Print rows under a heading; with --json the documents themselves."""
    if click.get_current_context().meta["json"]:
        click.echo(json.dumps(found, indent=2))
        return
    names = columns.split()
    rows = [names, *([_cell(document.get(name)) for name in names] for document in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(names))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _object(text: str) -> Doc:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from error
    if not isinstance(given, dict):
        raise click.BadParameter("not a JSON object")
    return given


def _limit_texts(entries: list[Doc], datacenter: str) -> list[str]:
    found: list[str] = []
    for entry in entries:
        if entry["datacenter"] == datacenter:
            found += entry["limit"] if isinstance(entry["limit"], list) else [entry["limit"]]
    return found


def _sentence(told: object, status: int) -> str:
    if not isinstance(told, dict):
        return f"refused with status {status}"
    fields = [f"{error.get('field')}: {error.get('message', error.get('code'))}" for error in told.get("errors", ())]
    return "; ".join([str(told.get("message", status)), *fields])
