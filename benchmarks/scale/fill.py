"""Fill a data center through its APIs: accounts with a network each, and VMs as a Docker gateway asks for them."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from site_under_test import Refusal, Site

THREADS = 8
Doc = dict[str, Any]


def fill(site: Site, vms: int, accounts: int) -> list[str]:
    """Make what is missing of ``vms`` VMs of ``accounts`` accounts; return the owners' uuids, the first ``demo``'s.

    Begun over and over it ends in the same state: VMs are named by their number.
    """
    owners = _accounts(site, accounts)
    missing = list(_missing(site, owners, vms))
    print(f"{len(owners)} accounts; {vms - len(missing)} VMs are there, {len(missing)} to make")
    template = Template(site)
    began, todo = time.monotonic(), iter(missing)
    with ThreadPoolExecutor(THREADS) as pool:
        made = 0
        while batch := list(islice(todo, 500)):
            list(pool.map(lambda item: template.create(*item), batch))
            made += len(batch)
            print(f"  {made} made, {made / (time.monotonic() - began):.0f} a second", flush=True)
    return owners


def _accounts(site: Site, accounts: int) -> list[str]:
    known = {account["login"]: account["uuid"] for account in site.ask("mahi", "GET", "/embedded/accounts")}
    logins = [site.instance.account, *(f"scale-{number:03}" for number in range(1, accounts))]
    for login in logins:
        if login not in known:
            body = {"login": login, "ssh_public_key": _public_key()}
            known[login] = site.ask("mahi", "POST", "/embedded/accounts", body)["uuid"]
    return [known[login] for login in logins]


def _public_key() -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        return file.with_suffix(".pub").read_text().strip()


def _missing(site: Site, owners: list[str], vms: int) -> Iterator[tuple[str, str]]:
    """Owner and name of each VM that is not there."""
    for place, owner in enumerate(owners):
        found = site.ask("vmapi", "GET", f"/vms?owner_uuid={owner}&state=active&fields=alias&limit=1000")
        names = {vm["alias"] for vm in found}
        for number in range(place, vms, len(owners)):
            if f"scale-{number:05}" not in names:
                yield owner, f"scale-{number:05}"


class Template:
    """What a new VM is made of, looked up once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._networks: dict[str, str] = {}
        packages = site.ask("papi", "GET", "/packages")
        self.package = next(package for package in packages if package["name"] == "sample-128M")
        images = site.ask("imgapi", "GET", "/images?type=docker&state=active")
        if not images:
            raise SystemExit("no image: docker pull or docker import one first")
        self.image = images[0]["uuid"]

    def create(self, owner: str, alias: str, *, autoboot: bool = True) -> str:
        """Make a VM and wait until its job has ended; return its uuid."""
        payload = self.payload(owner, alias, autoboot=autoboot)
        try:
            self._site.ask("vmapi", "POST", "/vms?sync=true", payload)
        except Refusal as refusal:
            raise SystemExit(f"creating {alias}: {refusal}") from refusal
        return str(payload["uuid"])

    def payload(self, owner: str, alias: str, *, autoboot: bool = True) -> Doc:
        vm_uuid = str(uuid.uuid4())
        environment = [
            f"PATH=/usr/local/bin:/usr/bin:/bin:{alias}",
            f"NAME={alias}",
            *(f"KEY_{n}=value-{n}" for n in range(10)),
        ]
        metadata = {
            "docker:id": vm_uuid.replace("-", "") + secrets.token_hex(16),
            "docker:cmd": '["serve","--port","80"]',
            "docker:entrypoint": "[]",
            "docker:env": json.dumps(environment),
            "docker:imagename": "busybox",
            "docker:hostconfig": '{"NetworkMode":"default"}',
        }
        return {
            "uuid": vm_uuid,
            "owner_uuid": owner,
            "alias": alias,
            "brand": "lx",
            "docker": True,
            "autoboot": autoboot,
            "kernel_version": "4.10.0",
            "image_uuid": self.image,
            "billing_id": self.package["uuid"],
            "networks": [{"uuid": self.network(owner), "primary": True}],
            "firewall_enabled": True,
            "tags": {"sdc_docker": True, "docker:label:tier": "web", "docker:label:stage": "test"},
            "internal_metadata": metadata,
        }

    def network(self, owner: str) -> str:
        """The account's own network."""
        if owner not in self._networks:
            found = self._site.ask("napi", "GET", f"/networks?provisionable_by={owner}")
            self._networks[owner] = next(net["uuid"] for net in found if net.get("fabric"))
        return self._networks[owner]
