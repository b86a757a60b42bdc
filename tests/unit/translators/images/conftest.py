"""An IMGAPI in memory and calls of two accounts."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from types import SimpleNamespace

import pytest

from gateway.call import Account, Call, Peer
from gateway.operations import by_name
from gateway.settings import TritonSettings
from gateway.state import State
from gateway.state.image_records import ImageRecord
from gateway.versions import CEILING, ApiVersion
from sdc.errors import SdcError
from translators.images import lookup

OWNER = "alice-uuid"


class FakeImgapi:
    """Keeps layers as IMGAPI does; ``pulls`` is what an import-docker-image stream will say,
    ``pushes`` what each push will."""

    def __init__(self) -> None:
        self.images: dict[str, dict] = {}
        self.files: dict[str, bytes] = {}
        self.pulls: list[dict] = []
        self.pushes: list[list[dict]] = []
        self.asked: list[dict] = []
        self.broken_upload = False

    def get_image(self, uuid):
        if uuid not in self.images:
            raise SdcError("imgapi", 404, "ResourceNotFound", "image not found")
        return self.images[uuid]

    def admin_import_image(self, uuid, manifest):
        self.images[uuid] = {**manifest, "state": "unactivated"}

    def add_image_file(self, uuid, file, *, compression, **checks):
        if self.broken_upload:
            raise SdcError("imgapi", 400, "Upload", "disk full")
        self.files[uuid] = b"".join(file)
        self.images[uuid]["files"] = [{"size": len(self.files[uuid]), "compression": compression}]
        return self.images[uuid]

    def get_image_file(self, uuid):
        data = self.files[uuid]
        return iter([data[:3], data[3:]])

    def update_image(self, uuid, changes):
        self.images[uuid] |= changes

    def activate_image(self, uuid):
        self.images[uuid]["state"] = "active"

    def delete_image(self, uuid):
        if any(image.get("origin") == uuid for image in self.images.values()):
            raise SdcError("imgapi", 422, "ImageHasDependentImages", "no")
        self.get_image(uuid)
        del self.images[uuid]

    def push_docker_image(self, uuid, repo_and_tag, record, headers=None):
        self.asked.append({"uuid": uuid, "name": repo_and_tag, "record": record, "headers": dict(headers or {})})
        return iter(self.pushes.pop(0))

    def import_docker_image(self, repo, *, tag=None, digest=None, headers=None):
        self.asked.append({"repo": repo, "tag": tag, "digest": digest, "headers": dict(headers or {})})
        return iter(self.pulls)


class FakeVmapi:
    def __init__(self) -> None:
        self.vms: list[dict] = []

    def list_vms(self, *, predicate=None, **filters):
        owner = next(term["eq"][1] for term in predicate["and"] if term.get("eq", [""])[0] == "owner_uuid")
        return [vm for vm in self.vms if vm["owner_uuid"] == owner]


class World:
    """One gateway's state and its fakes; ``call`` makes a call of an account."""

    def __init__(self, folder) -> None:
        self.imgapi, self.vmapi = FakeImgapi(), FakeVmapi()
        self.state = State(folder)

    def call(self, login="alice", operation="image.list", version: ApiVersion = CEILING, headers=None, **query) -> Call:
        return Call(
            request_id="r",
            operation=by_name(operation),
            version=version,
            peer=Peer(address="", transport="tcp"),
            account=Account(uuid=f"{login}-uuid", login=login),
            query={key: [value] for key, value in query.items()},
            headers=headers or {},
            services=SimpleNamespace(imgapi=self.imgapi, vmapi=self.vmapi),
            state=self.state,
            config=TritonSettings(),
        )

    def told(self, login="alice") -> list[tuple[str, str, str]]:
        """Action, id and name of the account's events, as they came."""
        events = [event.what for event in self.state.events.read(f"{login}-uuid", after=0)]
        return [(what.action, what.actor_id, what.attributes["name"]) for what in events]


@pytest.fixture
def world(tmp_path):
    lookup._seen.clear()
    return World(tmp_path)


def archive(*images, compress=lambda data: data, **changes) -> bytes:
    """A docker archive of images, each ``(tags, [layer bytes, ...])``; ``changes`` overrides members."""
    import hashlib

    members, manifest = {}, []
    for tags, layers in images:
        digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2023-11-14T22:13:20Z",
                "config": {"Cmd": ["sh"], "Labels": {"tags": ",".join(tags)}},
                "rootfs": {"type": "layers", "diff_ids": digests},
                "history": [{"created_by": f"layer {n}"} for n in range(len(layers))] + [{"empty_layer": True}],
            }
        ).encode()
        name = hashlib.sha256(config).hexdigest() + ".json"
        members[name] = config
        members |= {f"{digest[7:]}.tar": layer for digest, layer in zip(digests, layers, strict=True)}
        manifest.append({"Config": name, "RepoTags": tags, "Layers": [f"{digest[7:]}.tar" for digest in digests]})
    members["manifest.json"] = json.dumps(manifest).encode()
    members |= changes
    return compress(tar_of(members))


def tar_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def registry_auth(**fields) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@pytest.fixture
def line(world):
    """A pulled base with a name, a nameless step on it, and a result with a name on that."""
    parent, layers, records = "", [], []
    for digit, tag in (("a", "base"), ("b", ""), ("c", "made")):
        layers = [*layers, f'{{"digest":"sha256:{digit}","size":1}}']
        record = ImageRecord(
            owner_uuid=OWNER,
            config_digest=f"sha256:{digit * 64}",
            image_uuid=f"uuid-{digit}",
            manifest_digest=f"sha256:{digit}",
            manifest_str=f'{{"layers":[{",".join(layers)}]}}',
            size=len(layers),
            created=float(len(layers)),
            parent=parent,
            config={
                "created": f"2026-01-0{len(layers)}T00:00:00Z",
                "history": [{"created_by": f"step {number}"} for number in range(len(layers))],
                "rootfs": {"diff_ids": [f"sha256:{d}" for d in "abc"[: len(layers)]]},
            },
        )
        world.state.images.put(record)
        world.imgapi.images[record.image_uuid] = {"state": "active"}
        if tag:
            world.state.images.tag(OWNER, tag, "1", record.config_digest)
        parent = record.config_digest
        records.append(world.state.images.get(OWNER, record.config_digest))
    return records
