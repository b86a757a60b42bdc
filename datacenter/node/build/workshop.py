"""The build VM as a workshop: put on an image, changed, its changes taken as a layer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from datacenter.node import rootfs, syscalls, users
from datacenter.node.build.channel import BuildError
from datacenter.node.build.images import Layer
from datacenter.node.build.storing import taken_layer
from datacenter.node.copy import place
from datacenter.node.snapshots import machine_reprovision
from datacenter.node.tasks import TaskError

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.zone import Zone

Json = dict[str, Any]
_SHORT = 12


class Workshop:
    """One zone, stopped save while a RUN is carried out. ``folder`` is for whatever a build needs meanwhile."""

    def __init__(self, node: Node, zone: Zone) -> None:
        self._node = node
        self.zone = zone
        self.folder = zone.folder / "build"
        shutil.rmtree(self.folder, ignore_errors=True)  # of an agent that died
        self.folder.mkdir(mode=0o700)

    @property
    def short_id(self) -> str:
        return str(self.zone.metadata.get("docker:id") or self.zone.uuid.replace("-", ""))[:_SHORT]

    def is_on(self, image_uuid: str) -> bool:
        return bool(self.zone.record["image_uuid"] == image_uuid)

    def put_on(self, image_uuid: str) -> None:
        """Begin anew on an image that was made here; VMAPI need not know each step."""
        machine_reprovision(self._node, {"uuid": self.zone.uuid, "image_uuid": image_uuid, "timeout": 0})

    def equip(self, words: Sequence[str], config: Json, env: Sequence[str]) -> None:
        """Write down what the zone's next start is to run, as whom and where."""
        told = {
            "docker:cmd": msgspec.json.encode(list(words)).decode(),
            "docker:entrypoint": "[]",
            "docker:env": msgspec.json.encode(list(env)).decode(),
            "docker:user": config.get("User") or "",
            "docker:workdir": config.get("WorkingDir") or "",
        }
        self.zone.change_record({**self.zone.record, "internal_metadata": {**self.zone.metadata, **told}})

    def place(self, dest: str, archive: BinaryIO | None, *, owner: str = "", **how: Any) -> None:
        """Put an archive in a folder of the zone; ``owner`` is a user as its files name them. Raises BuildError."""
        self._node.lifecycle.hold_root(self.zone)
        try:
            user = users.find_user(self.zone.rootfs, owner) if owner else None
            place(self.zone.rootfs, dest, archive, owner=[user.uid, user.gid] if user else None, **how)
        except TaskError as error:
            raise BuildError(error.message) from error
        finally:
            self._node.lifecycle.release_root(self.zone)

    @contextmanager
    def layer(self) -> Iterator[tuple[Layer, BinaryIO]]:
        self.zone.ended.wait()
        with taken_layer(self._node, self.zone) as taken:
            yield taken

    @contextmanager
    def tree_of(self, image_uuid: str) -> Iterator[Path]:
        """Have an image's files there to read for the block."""
        empty, target = self.folder / "empty", self.folder / "image"
        empty.mkdir(exist_ok=True)
        target.mkdir(exist_ok=True)
        rootfs.mount_image(target, self._node.home, [str(empty), *self._node.images.ensure(image_uuid)])
        try:
            yield target
        finally:
            syscalls.unmount(target)

    def close(self) -> None:
        """Leave nothing; what is still mounted goes with the zone."""
        self._node.discard(self.folder)
