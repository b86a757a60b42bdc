"""The OCI runtime: which one works here, and how it is called."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import msgspec

from datacenter.node import spawn
from datacenter.node.home import Home
from datacenter.node.tasks import TaskError
from datacenter.node.whole import write_whole
from datacenter.node.zone import Zone

CANDIDATES = ("crun", "runc")  # crun starts a container in about half the time


class Runtime:
    """An installed OCI runtime with its own state folder, so that no other user of it sees our containers."""

    def __init__(self, program: str, state: Path) -> None:
        self.program = program
        self.name = Path(program).name
        self._state = state
        self.global_args = [f"--root={state}"]

    def argv(self, *arguments: str) -> list[str]:
        return [self.program, *self.global_args, *arguments]

    def exec_argv(self, zone: Zone, process: Path, console_socket: Path | None = None) -> list[str]:
        """The command line that runs ``process`` (OCI process JSON) in a running container, in the foreground."""
        console = [f"--console-socket={console_socket}"] if console_socket else []
        return self.argv("exec", *console, f"--process={process}", zone.uuid)

    def call(self, *arguments: str) -> None:
        """Run one runtime command. Raises TaskError with the runtime's own words."""
        code, output = spawn.run(self.argv(*arguments))
        if code != 0:
            raise TaskError("InternalError", f"{self.name} {arguments[0]}: {output.strip()}")

    def start(self, uuid: str) -> None:
        """Let a created container's process go; one that was let go before is left alone. Raises TaskError.

        With crun it waits for one byte on a fifo, which is all ``crun start`` writes too, at the price of a
        program's start. The fifo's absence is how both runtimes know a running container from a created one.
        """
        fifo = self._state / uuid / "exec.fifo"
        if self.name == "crun":
            _release(fifo)
        elif fifo.exists():
            self.call("start", uuid)

    def delete(self, uuid: str) -> None:
        """Kill and forget a container with its cgroups, even a half-made one; no error when it is unknown."""
        spawn.run(self.argv("delete", "--force", uuid))
        shutil.rmtree(self._state / uuid, ignore_errors=True)

    def known(self) -> list[str]:
        """Containers the runtime has state of."""
        return [entry.name for entry in self._state.iterdir() if entry.is_dir()]


def _release(fifo: Path) -> None:
    """Write the byte a container waits for, if it waits, then remove the fifo.

    In this order: who is killed in between leaves a fifo at which nobody waits, not a container nobody can reach.
    """
    try:
        fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # it was let go
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
    else:
        with open(fd, "wb", buffering=0) as end:  # noqa: PTH123 - a descriptor
            end.write(b"\0")
    fifo.unlink(missing_ok=True)


def find_runtime(home: Home) -> Runtime:
    """Choose the first runtime that really runs a container here. Raises OSError when none does.

    Installed and right version say little: crun refuses some cgroup layouts. The choice is tried once per
    binary and kept.
    """
    kept = home.root / "runtime.json"
    failures: list[str] = []
    found = [program for name in CANDIDATES if (program := shutil.which(name, path=spawn.PATH))]
    marks = {program: Path(program).stat().st_mtime for program in found}
    if kept.exists():
        choice = msgspec.json.decode(kept.read_bytes())
        if choice["marks"] == marks:
            return Runtime(choice["program"], home.runtime_state)
    for program in found:
        runtime = Runtime(program, home.runtime_state)
        failure = _try(runtime, home)
        if failure is None:
            write_whole(kept, msgspec.json.encode({"program": program, "marks": marks}))
            return runtime
        failures.append(f"{program}: {failure}")
    raise OSError("no OCI runtime works here: " + ("; ".join(failures) or "install crun or runc"))


def _try(runtime: Runtime, home: Home) -> str | None:
    """Run the host's ``true`` in a container; the runtime's complaint, or None."""
    bundle = home.root / "probe"
    (bundle / "rootfs" / "dev").mkdir(parents=True, exist_ok=True)
    (bundle / "config.json").write_bytes(msgspec.json.encode(_probe_spec(home)))
    code, output = spawn.run(runtime.argv("run", f"--bundle={bundle}", "probe"))
    if code:
        runtime.delete("probe")
    shutil.rmtree(bundle)
    return (output.strip() or f"exit code {code}") if code else None


def _probe_spec(home: Home) -> dict[str, object]:
    host = [Path(name) for name in ("/bin", "/lib", "/lib64", "/usr") if Path(name).exists()]
    return {
        "ociVersion": "1.0.2",
        "process": {"args": ["/bin/true"], "cwd": "/", "env": [f"PATH={spawn.PATH}"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            *(
                {"destination": str(path), "type": "bind", "source": str(path.resolve()), "options": ["rbind", "ro"]}
                for path in host
            ),
        ],
        "linux": {
            "cgroupsPath": f"{home.cgroup}/probe",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
            "resources": {"memory": {"limit": 64 << 20}, "pids": {"limit": 64}},
        },
    }
