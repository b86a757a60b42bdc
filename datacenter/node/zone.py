"""One container as the compute node sees it: its folder, what it was told to be, and how its life goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from gevent.event import Event
from gevent.lock import RLock

from datacenter.node.whole import write_whole

logger = logging.getLogger(__name__)

Record = dict[str, Any]
Hook = Callable[["Zone"], None]


DEFAULT_STOP_TIMEOUT = 10.0
"""Seconds a zone's process has between the stop signal and SIGKILL, when nobody says otherwise."""


class Life(msgspec.Struct, kw_only=True):
    """What happened to a zone's process; kept on disk so that a restarted agent knows it.

    ``state`` is "stopped" (also before the first boot), "starting" or "running". Timestamps are ISO 8601 with ms.
    """

    state: str = "stopped"
    number: int = 0
    """Counts the zone's boots; what conmon leaves of each has a place of its own."""
    pid: int | None = None
    made: str | None = None
    """When the container of a life that is starting was made. From then on its process may run, and whoever finds it
    goes on with the start; before, there is nothing that could not be taken back."""
    asked_by: str | None = None
    """The job that asked for the last start that was not a policy's: the same one asking again has had its start."""
    boot_timestamp: str | None = None
    exit_status: int | None = None
    exit_timestamp: str | None = None
    last_end: dict[str, Any] | None = None
    """How the run before this one ended: exit_status, exit_timestamp, oom_killed."""
    oom_killed: bool = False
    restart_count: int = 0
    """How often the restart policy has started the zone since somebody did."""
    backoff: float = 0.0
    """Seconds the policy last waited."""
    waiting: bool = False
    """The policy will start the zone again, or is at it."""
    paused: bool = False
    held: bool = False
    """The agent has frozen its processes for a moment, for a purpose of its own."""
    halted: bool = False
    """Somebody stopped it: the policy leaves it alone until somebody starts it."""


class Kept(msgspec.Struct):
    """The content of ``zone.json``."""

    vm: Record
    life: Life


class Zone:
    """A container's folder and state. Everything that must outlive the agent is in ``zone.json``.

    Paths are below the node's short home (see home.py), so unix sockets in them stay under 108 bytes.
    """

    def __init__(self, folder: Path, record: Record, life: Life | None = None) -> None:
        self.uuid: str = record["uuid"]
        self.folder = folder
        self.record = record
        """The VM payload of machine_create with all later updates."""
        self.life = life or Life()
        self.before_start: list[Hook] = []
        """Called once each, after the container was made (conmon's attach socket accepts) and before its process
        runs. Emptied by every boot; a hook that raises stops the boot."""
        self.not_started: list[Hook] = []
        """Called once each when a boot failed or the zone is destroyed, for those who waited for its start."""
        self.is_saved = True
        """Whether ``zone.json`` says the same."""
        self.root_holders = 0
        """How many copies have the root mounted, beside the running container itself."""
        self.lock = RLock()
        """Held by the one task that changes this zone's life."""
        self.ended = Event()
        """Set while no process runs; by then the log is complete and exit_status is known."""
        self.started = Event()
        """Set while the process runs."""
        self._mark()

    @classmethod
    def load(cls, folder: Path) -> Zone:
        """Read a zone back from disk. Raises FileNotFoundError or msgspec.DecodeError."""
        kept = msgspec.json.decode((folder / "zone.json").read_bytes(), type=Kept)
        return cls(folder, kept.vm, kept.life)

    def save(self) -> None:
        """Write ``zone.json`` so that it is always whole, whenever the agent dies."""
        self.is_saved = False
        write_whole(self.folder / "zone.json", msgspec.json.encode(Kept(self.record, self.life)))
        self.is_saved = True

    def change_record(self, record: Record) -> None:
        """Take another record and write it down; the one before stays when the disk refuses. Raises OSError."""
        before, self.record = self.record, record
        try:
            self.save()
        except OSError:
            self.record = before
            raise

    def change_life(self, **fields: Any) -> None:
        """Set fields of the life, write them down, then wake those who wait on ``started`` or ``ended``."""
        for name, value in fields.items():
            setattr(self.life, name, value)
        self.save()
        self._mark()

    def note_life(self, **fields: Any) -> None:
        """As ``change_life``, of what has happened whatever becomes of the record: a full disk is on the node's log.

        What could not be written down is so with the next change.
        """
        try:
            self.change_life(**fields)
        except OSError:
            logger.exception("the record of %s", self.uuid)
            self._mark()

    def tell_not_started(self) -> None:
        """Tell those who waited for a start that it will not come."""
        hooks, self.not_started = self.not_started, []
        for hook in hooks:
            hook(self)

    def _mark(self) -> None:
        for event, wanted in ((self.started, self.running), (self.ended, self.life.state == "stopped")):
            if wanted:
                event.set()
            else:
                event.clear()

    @property
    def running(self) -> bool:
        return self.life.state == "running"

    @property
    def pid(self) -> int | None:
        """The container's init as the host sees it; None while nothing runs."""
        return self.life.pid

    @property
    def exit_status(self) -> int | None:
        return self.life.exit_status

    @property
    def metadata(self) -> Record:
        """internal_metadata: the ``docker:*`` keys."""
        found: Record = self.record.get("internal_metadata") or {}
        return found

    @property
    def linux(self) -> Record:
        """The ``docker:linux`` options, decoded; {} when there are none."""
        text = self.metadata.get("docker:linux")
        decoded: Record = msgspec.json.decode(text) if isinstance(text, str) else (text or {})
        return decoded

    def stop_timeout(self, given: float | str | None) -> float:
        """Seconds to wait before SIGKILL: those given, else the zone's own."""
        own = self.linux.get("StopTimeout") if given is None else given
        return DEFAULT_STOP_TIMEOUT if own is None else float(own)

    @property
    def restart_policy(self) -> str:
        return str(self.metadata.get("docker:restartpolicy") or "no")

    @property
    def tty(self) -> bool:
        return bool(self.metadata.get("docker:tty"))

    @property
    def open_stdin(self) -> bool:
        return bool(self.metadata.get("docker:open_stdin"))

    @property
    def stdin_once(self) -> bool:
        return bool(self.linux.get("StdinOnce"))

    @property
    def bundle(self) -> Path:
        """The OCI bundle: config.json, conmon's ``attach`` socket and ``ctl`` fifo."""
        return self.folder / "bundle"

    @property
    def rootfs(self) -> Path:
        """The merged root. Mounted only from boot until the end; seen only inside the node's mount namespace."""
        return self.folder / "rootfs"

    @property
    def upper(self) -> Path:
        """What the container wrote over its image."""
        return self.folder / "upper"

    @property
    def fresh_upper(self) -> Path:
        """What is to take the place of ``upper``; there only while it is being made."""
        return self.folder / "upper.new"

    @property
    def volumes(self) -> Path:
        return self.folder / "volumes"

    @property
    def log_path(self) -> Path:
        """The log conmon writes (k8s-file); absent before the first boot."""
        return self.folder / "stdio.log"

    @property
    def lives(self) -> Path:
        """What conmon leaves of the present life, and of one that nobody has cleared away; absent otherwise."""
        return self.folder / "lives"

    @property
    def present_life(self) -> Path:
        """Its conmon's pid files, and once it is gone its container's exit code."""
        return self.lives / str(self.life.number)

    @property
    def attach_socket(self) -> Path:
        """SOCK_SEQPACKET; exists from container creation to its end."""
        return self.bundle / "attach"

    @property
    def ctl_fifo(self) -> Path:
        """The control fifo of conmon: a line ``1 <rows> <cols>`` sizes the console."""
        return self.bundle / "ctl"
