"""A simulated compute node: the machine tasks of a real agent, done in the books alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datacenter.node.news import News
from datacenter.node.service import Service, ServiceError
from datacenter.node.tasks import TaskError
from datacenter.settings import DcSettings
from datacenter.simulation import programs
from datacenter.simulation.books import Books, Doc, fields
from datacenter.simulation.sysinfo import server_uuid, sysinfo
from datacenter.store import Store

TERMINATED = programs.FATAL["SIGTERM"]
KILLED = programs.FATAL["SIGKILL"]


class SimulatedNode:
    """One node. What needs a process or a file is refused as NotSupported, in words that say why."""

    def __init__(self, settings: DcSettings, number: int, store: Store) -> None:
        self.server_uuid = server_uuid(settings, number)
        self._settings = settings
        self._images = store.bucket(f"images_{number}")
        self._news = News(settings, self.server_uuid, lambda: sysinfo(settings, number))
        self._books = Books(store.bucket(f"zones_{number}"), self._tell)
        self._tasks: dict[str, Callable[[Doc], Doc]] = {
            "image_ensure_present": self._ensure_image,
            "machine_create": self._create,
            "machine_boot": self._boot,
            "machine_shutdown": self._shutdown,
            "machine_reboot": self._reboot,
            "machine_kill": self._kill,
            "machine_destroy": self._destroy,
            "machine_update": self._load,
            "machine_update_nics": lambda _: {},
            "machine_load": self._load,
            "machine_proc": self._processes,
            "server_sysinfo": lambda _: {"sysinfo": sysinfo(settings, number)},
        }

    def live(self) -> None:
        """Tell how all zones are, then announce the node and send heartbeats. Never returns."""
        self._news.push_all({zone["uuid"]: fields(zone) for zone in self._books.all()})
        self._news.live()

    def run(self, name: str, params: Doc) -> Doc:
        """Run a task to its end. Raises TaskError."""
        task = self._tasks.get(name)
        if task is None:
            message = f"{name}: this compute node is simulated, its containers have no processes and no files"
            raise TaskError("NotSupported", message)
        return task(params)

    def _tell(self, zone: Doc) -> None:
        self._news.push(zone["uuid"], fields(zone))

    def _zone(self, params: Doc) -> Doc:
        zone = self._books.get(str(params.get("uuid")))
        if zone is None:
            raise TaskError("VmNotFound", f"VM {params.get('uuid')} is not on this node")
        return zone

    def _ensure_image(self, params: Doc) -> Doc:
        """Ask IMGAPI for an image's manifest, once; no file is fetched."""
        uuid = str(params["image_uuid"])
        if uuid not in self._images:
            service = Service(self._settings.url("imgapi"))
            try:
                manifest = service.call("GET", f"/images/{uuid}")
            except ServiceError as error:
                raise TaskError("ImageNotFound", f"image {uuid}: {error}") from error
            finally:
                service.close()
            self._images.put(uuid, {"uuid": uuid, "name": manifest.get("name")})
        return {}

    def _create(self, params: Doc) -> Doc:
        uuid = str(params.get("uuid"))
        zone = self._books.get(uuid)
        if zone is None:
            zone = self._books.create(uuid, programs.words(params.get("internal_metadata") or {}))
        return {"vm": fields(zone)}

    def _boot(self, params: Doc) -> Doc:
        told: dict[str, Any] = fields(self._books.boot(self._zone(params), params.get("job")))
        fresh = params.get("set_internal_metadata")
        return {"vm": {**told, **({"internal_metadata": fresh} if fresh else {})}}

    def _shutdown(self, params: Doc) -> Doc:
        """Stop a program, which heeds SIGTERM at once; a timeout of 0 is SIGKILL."""
        code = KILLED if params.get("timeout") == 0 else TERMINATED
        return {"vm": fields(self._books.end(self._zone(params), code))}

    def _reboot(self, params: Doc) -> Doc:
        if "job" not in params or self._zone(params).get("asked_by") != params["job"]:
            self._shutdown(params)
        return self._boot(params)

    def _kill(self, params: Doc) -> Doc:
        zone = self._zone(params)
        if zone["state"] != "running":
            raise TaskError("VmNotRunning", f"VM {zone['uuid']} is not running")
        code = programs.exit_code(params.get("signal") or "SIGKILL")
        return {"vm": fields(zone if code is None else self._books.end(zone, code))}

    def _destroy(self, params: Doc) -> Doc:
        self._books.delete(str(params["uuid"]))
        return {}

    def _load(self, params: Doc) -> Doc:
        return {"vm": fields(self._zone(params))}

    def _processes(self, params: Doc) -> Doc:
        """The one process that there would be."""
        zone = self._zone(params)
        if zone["state"] != "running":
            raise TaskError("VmNotRunning", f"VM {zone['uuid']} is not running")
        command = zone["command"] or ["init"]
        info = {"pr_pid": zone["pid"], "pr_ppid": 1, "pr_fname": command[0], "pr_psargs": " ".join(command)}
        return {"result": [{"psinfo": info}]}
