"""Where a node keeps its things, and the mount namespace it lives in.

The agent moves into a mount namespace of its own, which is pinned to a file and outlives it. So nothing a
container needs (overlay mounts, network namespace files) is seen by the host or left behind on it, every
program started from here is inside at no cost, and cgroup v2's empty corner of a hybrid host, which crun
1.8 can't bear, is hidden.
"""

from __future__ import annotations

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from datacenter.node import spawn, syscalls
from datacenter.node.cgroups import UNIFIED
from datacenter.node.whole import write_whole
from datacenter.settings import DcSettings


class Home:
    """The folders of one node. ``root`` is a short alias of ``real``, valid inside the namespace only."""

    def __init__(self, settings: DcSettings, number: int) -> None:
        self.settings = settings
        self.number = number
        self.real = settings.state.resolve() / "nodes" / str(number)
        mark = self.server_uuid()[:8]
        self.root = Path(f"/run/tdg/{mark}")
        self.cgroups = f"/tdg-{settings.instance}-"
        """What the cgroups of all nodes of the instance begin with."""
        self.cgroup = f"{self.cgroups}{mark}"
        """Parent cgroup of the node's containers, in every hierarchy."""

    @property
    def hostname(self) -> str:
        return f"{self.settings.name}-cn{self.number}"

    @property
    def zones(self) -> Path:
        return self.root / "zones"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def volumes(self) -> Path:
        """The folders of storage VMs, which all nodes of the instance share."""
        return self.settings.state.resolve() / "volumes"

    @property
    def netns(self) -> Path:
        return self.root / "netns"

    @property
    def runtime_state(self) -> Path:
        return self.root / "runtime"

    @property
    def trash(self) -> Path:
        """What was destroyed and is not yet deleted."""
        return self.root / "trash"

    @property
    def staging(self) -> Path:
        """Where what is found elsewhere is mounted, while the runtime takes it from there."""
        return self.root / "staging"

    @property
    def pin(self) -> Path:
        """The file that keeps the mount namespace."""
        return self.real / "ns" / "mnt"

    def server_uuid(self) -> str:
        """The node's stable identity, made on first use."""
        kept = self.real / "server_uuid"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, str(uuid.uuid5(uuid.NAMESPACE_URL, f"file://{self.real}")).encode())
        return kept.read_text().strip()

    def make_folders(self) -> None:
        ours = (self.zones, self.layers, self.netns, self.runtime_state, self.trash, self.staging)
        for folder in (*ours, self.volumes):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def enter(self) -> None:
        """Move this process into the node's mount namespace, making it when there is none.

        Must run before any thread or greenlet hub is started.
        """
        self.real.mkdir(parents=True, exist_ok=True)
        self.root.mkdir(parents=True, exist_ok=True)
        if not self._join():
            self._make_namespace()
            if not self._join():
                raise OSError(f"{self.pin} holds no mount namespace")
        if _is_hybrid():
            syscalls.unmount(UNIFIED)
            syscalls.mount("tmpfs", UNIFIED, "tmpfs")  # not the folder itself, which is all namespaces'
        if not syscalls.is_mounted(self.root):
            syscalls.bind(self.real, self.root)
        self.make_folders()

    def _join(self) -> bool:
        try:
            fd = os.open(self.pin, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            syscalls.setns(fd, syscalls.CLONE_NEWNS)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a plain file: the host was restarted
                return False
            raise
        finally:
            os.close(fd)
        return True

    def _make_namespace(self) -> None:
        folder = self.pin.parent
        folder.mkdir(exist_ok=True)
        if not syscalls.is_mounted(folder):
            syscalls.bind(folder, folder)
            syscalls.mount("", folder, flags=syscalls.MS_PRIVATE)  # a namespace can't be pinned on a shared mount
        self.pin.touch()
        spawn.run_blocking(["unshare", f"--mount={self.pin}", "--propagation", "slave", "true"])

    def leave_nothing(self) -> None:
        """Drop the namespace with all mounts in it. For the host side, when no container runs any more."""
        for mounted in (self.pin, self.pin.parent):
            while syscalls.is_mounted(mounted):
                syscalls.unmount(mounted)
        if self.root.is_dir():
            self.root.rmdir()
        with suppress(OSError):  # other nodes of the machine are still there, or it went with one
            self.root.parent.rmdir()


def _is_hybrid() -> bool:
    """Whether cgroup v1 controllers are in use beside a v2 tree, in sight, that still owns some controller."""
    controllers = UNIFIED / "cgroup.controllers"
    return controllers.exists() and bool(controllers.read_text().strip())
