"""How a zone's life goes: boot, end, stop. What restart policies want is decided in restarts.py."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult

from datacenter.clock import iso
from datacenter.node import cgroups, complaints, conmon, health, layers, network, programs, rootfs, spawn, spec, users
from datacenter.node.exits import end_of
from datacenter.node.filters import Filters
from datacenter.node.home import Home
from datacenter.node.logfiles import keep_earlier
from datacenter.node.outside import Outside
from datacenter.node.restarts import Restarts, plan
from datacenter.node.runtime import Runtime
from datacenter.node.shipping import Shipper
from datacenter.node.signals import signal_number
from datacenter.node.tasks import TaskError
from datacenter.node.volumes import Volumes
from datacenter.node.zone import Zone

EXIT_STATUS = {"InitNotFound": 127, "InitNotExecutable": 126}
START_FAILED = 128
NO_PROCESS: dict[str, Any] = {"pid": None, "made": None}
KILL_LIMIT = 30.0
"""Seconds in which a killed container must be gone; longer means a process stuck in the kernel."""


class Lifecycle:
    """Boots zones and sees them end. ``report`` is told of every change that happens without being asked for."""

    def __init__(
        self,
        home: Home,
        runtime: Runtime,
        *,
        host: spec.Host,
        images: layers.Layers,
        outside: Outside,
        net: network.Network,
        zones: Mapping[str, Zone],
        report: Callable[[Zone, dict[str, Any]], None],
    ) -> None:
        self._home = home
        self._runtime = runtime
        self._host = host
        self._images = images
        self._outside = outside
        self._net = net
        self._report = report
        self._volumes = Volumes(home, images, zones, self.cleared)
        self._filters = Filters(home, runtime)
        self.restarts = Restarts(self._boot_again)
        self._shipper = Shipper(home.netns, home.hostname)
        self._health = health.Monitor(runtime, lambda zone: report(zone, node_fields(zone)))
        self._nudge: AsyncResult | None = None
        self._clearing: dict[str, gevent.Greenlet] = {}

    def boot(self, zone: Zone, asker: str | None = None) -> None:
        """Start a zone's process for somebody who asked, and return when it runs. A running zone is left as it is.

        Its restart policy begins anew. ``asker`` is the job that asks, if any: one that asks again, because it never
        heard that it was done, does not start a process once more that has ended since.

        Raises TaskError: InitNotFound, InitNotExecutable or InitFailed when the program can't be started as it is
        asked for, InternalError when the node is at fault; the zone is then stopped with Docker's exit status 127,
        126 or 128.
        """
        if zone.running or (asker and zone.life.asked_by == asker):
            return
        self.restarts.forget(zone)
        self._boot(zone, asked_by=asker, waiting=False, halted=False, backoff=0.0, restart_count=0)

    def _boot_again(self, zone: Zone) -> None:
        """Start a zone because its policy says so."""
        self._boot(zone)
        self._report(zone, node_fields(zone))

    def _boot(self, zone: Zone, **fields: Any) -> None:
        self.hurry()
        self.cleared(zone)
        try:
            zone.change_life(state="starting", number=zone.life.number + 1, **fields)
            self._start(zone)
        except (TaskError, OSError) as error:
            words = str(getattr(error, "strerror", None) or error)
            failure = error if isinstance(error, TaskError) else TaskError("InternalError", words)
            self._give_up(zone, EXIT_STATUS.get(failure.rest_code, START_FAILED))
            failure.details["vm"] = node_fields(zone)
            raise failure from error
        except BaseException:  # a defect of ours: it must not keep the zone from being started again, or removed
            self._give_up(zone, START_FAILED)
            raise
        finally:
            zone.before_start.clear()
            zone.not_started.clear()

    def _give_up(self, zone: Zone, status: int) -> None:
        """Note that a zone could not be started, and clear away what was made for it."""
        end = {"exit_status": status, "exit_timestamp": iso(), "oom_killed": False, "last_end": _end_of(zone)}
        zone.note_life(state="stopped", waiting=False, asked_by=None, **NO_PROCESS, **end)
        zone.tell_not_started()
        self._clear_later(zone)
        self._report(zone, node_fields(zone))

    def hurry(self) -> None:
        """Take the kernel's wait before a new container's first cgroup move out of its way: a third of a boot."""
        if self._nudge is None or self._nudge.ready():
            self._nudge = gevent.get_hub().threadpool.spawn(cgroups.nudge)

    def _start(self, zone: Zone) -> None:
        place = self._prepare(zone)
        self._shipper.begin(zone)
        with self._outside.mounted(zone) as shared:
            config = self._create(zone, replace(place, shared=shared))
        self._filters.learn(zone.uuid, config)
        for hook in list(zone.before_start):
            hook(zone)
        self._go_on(zone, iso())

    def carry_on(self, zone: Zone) -> None:
        """Bring a start to its end over which an agent died when the container was made; its process may have run."""
        try:
            self._go_on(zone, str(zone.life.made))
        except (TaskError, OSError):
            self._give_up(zone, START_FAILED)

    def _go_on(self, zone: Zone, since: str) -> None:
        self._runtime.start(zone.uuid)
        if health.check_of(zone):
            health.note(zone, health.Health(Log=health.health_of(zone).Log))
        began = {"boot_timestamp": since, "last_end": _end_of(zone), "oom_killed": False}
        zone.change_life(state="running", waiting=False, exit_status=None, exit_timestamp=None, **began)
        self.watch(zone)

    def _create(self, zone: Zone, place: spec.Place) -> dict[str, Any]:
        """Have the runtime make the container; its process waits. Return its configuration."""
        user = users.find_user(zone.rootfs, str(zone.metadata.get("docker:user") or ""), _extra_groups(zone))
        config = spec.oci_config(zone.record, zone.linux, user, self._host, place)
        process = config["process"]
        program = spec.command(zone.record)[0]
        mounted = [mount["destination"] for mount in config["mounts"]]
        programs.check_program(zone.rootfs, program, process["env"], process["cwd"], mounted)
        self._filters.use(config)
        (zone.bundle / "config.json").write_bytes(msgspec.json.encode(config))
        try:
            pid = conmon.create(zone, self._runtime)
        except TaskError as error:
            raise complaints.blamed(error, zone.linux) from error
        zone.change_life(pid=pid, made=iso())
        return config

    def _prepare(self, zone: Zone) -> spec.Place:
        """Lay out root, volumes, files and network."""
        self._mount(zone)
        rootfs.write_etc(zone)
        rootfs.make_workdir(zone)
        return spec.Place(zone.rootfs, zone.bundle, self._home.zones, self._net.connect(zone))

    def _mount(self, zone: Zone) -> None:
        rootfs.mount_root(zone, self._home, self._images.ensure(zone.record["image_uuid"]))
        self._volumes.prepare(zone)

    def hold_root(self, zone: Zone) -> None:
        """Have a zone's root and volumes there, also while it is stopped, until as many ``release_root``."""
        zone.root_holders += 1
        if zone.running:
            return
        try:
            with zone.lock:
                if not zone.running:
                    self.cleared(zone)
                    self._mount(zone)
        except BaseException:
            self.release_root(zone)
            raise

    def release_root(self, zone: Zone) -> None:
        zone.root_holders -= 1
        self._unmount_unused(zone)

    def _unmount_unused(self, zone: Zone) -> None:
        if zone.life.state == "stopped" and not zone.root_holders:
            rootfs.unmount_root(zone)

    def _ended(self, zone: Zone) -> None:
        """Take note of a container's end, and do as its restart policy says.

        What it used is cleared away behind the caller's back.
        """
        oom = cgroups.was_oom_killed(f"{self._host.cgroup}/{zone.uuid}")
        code, moment = end_of(zone)
        end = {"exit_status": code, "exit_timestamp": moment, "oom_killed": oom, "paused": False}
        if health.check_of(zone):
            was = health.health_of(zone)
            health.note(zone, health.Health("unhealthy", was.FailingStreak, was.Log))  # as dockerd has it
        again = plan(zone, msgspec.structs.replace(zone.life, **end))
        zone.note_life(state="stopped", **NO_PROCESS, **end, **again)
        self._report(zone, node_fields(zone))
        self._clear_later(zone)
        if zone.life.waiting:
            self.restarts.schedule(zone)

    def _clear_later(self, zone: Zone) -> None:
        self._clearing[zone.uuid] = gevent.spawn(self._clear, zone)

    def _clear(self, zone: Zone) -> None:
        self._shipper.drain(zone)
        self._net.disconnect(zone.uuid)
        self._runtime.delete(zone.uuid)
        cgroups.sweep(f"{self._host.cgroup}/{zone.uuid}")
        conmon.see_off(zone)
        if zone.is_saved:  # else the next agent must find there how it ended
            shutil.rmtree(zone.lives, ignore_errors=True)
        self._unmount_unused(zone)
        self._net.fill_spare()

    def cleared(self, zone: Zone) -> None:
        """Wait until nothing of the zone's last life is left."""
        clearing = self._clearing.pop(zone.uuid, None)
        if clearing is not None:
            clearing.join()

    def clear_now(self, zone: Zone) -> None:
        """Remove whatever a life may have left: for adoption after a crash, and for destruction."""
        self.cleared(zone)
        self._clear(zone)

    def watch(self, zone: Zone) -> None:
        """Look after a running zone: its health, its log, and its end, which is that of its conmon."""
        self._health.watch(zone)
        self._shipper.watch(zone)
        keep_earlier(zone)
        pidfd = conmon.hold(zone)
        if pidfd is None:
            self._ended(zone)
        else:
            gevent.spawn(self._watch, zone, pidfd)

    def _watch(self, zone: Zone, pidfd: int) -> None:
        conmon.await_end(pidfd)
        self._ended(zone)

    def take_back(self, zone: Zone) -> None:
        """Have a start that nobody finished come to nothing: whoever asked for it, or its policy, may try again."""
        conmon.end_all(zone)
        zone.note_life(state="stopped", asked_by=None, **NO_PROCESS)
        self.clear_now(zone)

    def stop(self, zone: Zone, timeout: float) -> None:
        """Send the stop signal, after ``timeout`` seconds SIGKILL (0: at once; negative: never); wait for the end.

        A stopped zone is left as it is, but for its policy's plans. Raises TaskError when even a killed process
        stays.
        """
        self._halt(zone)
        if zone.ended.is_set():
            return
        if timeout != 0:
            self.kill(zone, zone.linux.get("StopSignal") or "SIGTERM")
            if zone.ended.wait(None if timeout < 0 else timeout):
                return
        self.kill(zone, "SIGKILL")
        if not zone.ended.wait(KILL_LIMIT):
            raise TaskError("InternalError", f"VM {zone.uuid} did not stop within {KILL_LIMIT:.0f} seconds of SIGKILL")

    def kill(self, zone: Zone, name: str | int) -> None:
        """Send a signal to a zone's init. Raises TaskError VmNotRunning or InvalidArgument.

        As with dockerd, a zone that was sent a signal is not restarted, unless it has a stop signal of its own and
        this was neither that nor SIGKILL.
        """
        number = signal_number(name)
        own = zone.linux.get("StopSignal")
        waited = zone.life.waiting
        ends = not own or number in {signal.SIGKILL, signal_number(own)}
        if ends:
            self._halt(zone)
        if waited and zone.ended.is_set():
            return
        if zone.pid is None or zone.ended.is_set():
            raise TaskError("VmNotRunning", f"VM {zone.uuid} is not running")
        try:
            os.kill(zone.pid, number)
        except ProcessLookupError:
            pass  # it ended just now; its exit file will say so
        if ends and zone.life.paused:
            self.unpause(zone)

    def pause(self, zone: Zone) -> None:
        """Freeze a zone's processes; a paused one is left as it is. Raises TaskError VmNotRunning."""
        if not zone.running:
            raise TaskError("VmNotRunning", f"VM {zone.uuid} is not running")
        if not zone.life.paused:
            self._runtime.call("pause", zone.uuid)
            try:
                zone.change_life(paused=True)
            except OSError:  # the next agent would not know how to let it go on
                self.unpause(zone)
                raise

    def unpause(self, zone: Zone) -> None:
        """Let a paused zone's processes go on."""
        if zone.life.paused:
            self._runtime.call("resume", zone.uuid)
            zone.note_life(paused=False)

    @contextmanager
    def still(self, zone: Zone) -> Iterator[None]:
        """Keep a running zone's processes from doing anything for a moment; for a stopped or paused one, nothing.

        It is on record, so that the next agent lets them go on when this one dies.
        """
        if not zone.running or zone.life.paused:
            yield
            return
        zone.change_life(held=True)
        try:
            self._runtime.call("pause", zone.uuid)
            yield
        finally:
            self.let_go(zone)

    def let_go(self, zone: Zone) -> None:
        """Let processes go on that ``still`` has frozen. They may have been killed meanwhile."""
        if zone.life.held:
            spawn.run(self._runtime.argv("resume", zone.uuid))
            zone.note_life(held=False)

    def _halt(self, zone: Zone) -> None:
        """Have the policy leave a zone alone until somebody starts it."""
        waited = zone.life.waiting and zone.ended.is_set()
        zone.note_life(halted=True, waiting=zone.life.waiting and not waited)
        if waited:
            self.restarts.forget(zone)
            self._report(zone, node_fields(zone))


def _extra_groups(zone: Zone) -> tuple[str, ...]:
    return tuple(str(group) for group in zone.linux.get("GroupAdd") or ())


def _end_of(zone: Zone) -> dict[str, Any] | None:
    """How a zone's last run ended, for who hears of it only after the next has begun."""
    life = zone.life
    if life.exit_timestamp is None:
        return life.last_end
    return {"exit_status": life.exit_status, "exit_timestamp": life.exit_timestamp, "oom_killed": life.oom_killed}


def node_fields(zone: Zone) -> dict[str, Any]:
    """What the node knows better than VMAPI's record.

    Of the metadata it writes, what never was otherwise than the default is left out.
    """
    life = zone.life
    told: dict[str, Any] = {
        "docker:oomkilled": life.oom_killed,
        "docker:restartcount": life.restart_count,
        "docker:paused": life.paused,
        "docker:lastend": msgspec.json.encode(life.last_end).decode() if life.last_end else None,
    }
    told = {key: value for key, value in told.items() if value or key in zone.metadata}
    if "docker:health" in zone.metadata:
        told["docker:health"] = zone.metadata["docker:health"]
    zone.record["internal_metadata"] = {**zone.metadata, **told}
    return {
        "uuid": zone.uuid,
        "state": "running" if zone.running else "stopped",
        "zone_state": "running" if zone.running else "ready" if life.waiting else "installed",
        "pid": life.pid if zone.running else None,
        "boot_timestamp": life.boot_timestamp,
        "exit_status": life.exit_status,
        "exit_timestamp": life.exit_timestamp,
        "zonepath": f"/zones/{zone.uuid}",
        "zpool": "zones",
        "zfs_filesystem": f"zones/{zone.uuid}",
        **({"snapshots": zone.record["snapshots"]} if "snapshots" in zone.record else {}),
        **({"internal_metadata": told} if told else {}),
    }
