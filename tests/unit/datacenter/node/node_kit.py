"""A compute node under test: a real agent, fed by a small stand-in for IMGAPI, VMAPI and CNAPI."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from datacenter.settings import SERVICES

IMAGE = "0c0ffee0-0000-4000-8000-000000000001"
TOP_IMAGE = "0c0ffee0-0000-4000-8000-000000000002"
NETWORK = "0c0ffee0-0000-4000-8000-00000000000a"
APPLETS = (
    "sh true false cat echo id ls sleep mount env hostname ps touch mkdir chown df wget nc ping ip grep dd test".split()
)


def _member(tar, name, *, data=None, mode=0o755, link=None, uid=0):
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = mode, uid, uid
    if link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, link
    elif data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def base_layer() -> bytes:
    """A busybox image, made from the host's static busybox."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name in ("bin", "etc", "tmp", "data", "root", "proc", "sys", "dev"):
            _member(tar, name, mode=0o1777 if name == "tmp" else 0o755)
        _member(tar, "bin/busybox", data=Path("/bin/busybox").read_bytes())
        for name in APPLETS:
            _member(tar, f"bin/{name}", link="busybox")
        _member(
            tar, "etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", mode=0o644
        )
        _member(tar, "etc/group", data=b"root:x:0:\nwheel:x:10:root\napp:x:1000:\nextra:x:2000:app\n", mode=0o644)
        _member(tar, "data/seed", data=b"from the image\n", mode=0o640, uid=1000)
    return out.getvalue()


def top_layer() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _member(tar, "etc/.wh.group", data=b"")
        _member(tar, "top", data=b"top\n", mode=0o644)
    return out.getvalue()


class Center:
    """Stands in for the services: serves two layers, keeps what the node pushes."""

    def __init__(self, port_base: int) -> None:
        self.port_base = port_base
        self.pushed: list[tuple[str, dict]] = []
        self.changed = threading.Condition()
        self.images: dict[str, dict] = {}
        """Images that were put in, as IMGAPI keeps them; their files are in ``files``."""
        self.broken_upload = False
        self.downloads: list[str] = []
        """Images whose files were asked for, each time that one was."""
        self.files = {IMAGE: base_layer(), TOP_IMAGE: top_layer()}
        center = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self, body: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                parts = self.path.split("/")
                if parts[1] != "images" or parts[2] not in {**center.files, **center.images}:
                    self._answer(b'{"code":"ResourceNotFound"}', 404)
                elif parts[-1] == "file":
                    center.downloads.append(parts[2])
                    self._answer(center.files[parts[2]])
                elif parts[2] in center.images:
                    self._answer(json.dumps(center.images[parts[2]]).encode())
                else:
                    top = parts[2] == TOP_IMAGE
                    manifest = {"uuid": parts[2], "files": [{"compression": "none" if top else "gzip"}]}
                    self._answer(json.dumps(manifest | ({"origin": IMAGE} if top else {})).encode())

            def do_PUT(self):
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.startswith("/images/"):
                    self._answer(*center.image_call(self.path, data))
                    return
                body = json.loads(data)
                with center.changed:
                    center.pushed.append((self.path, body))
                    center.changed.notify_all()
                self._answer(b"{}")

            do_POST = do_PUT

            def do_DELETE(self):
                center.images.pop(self.path.split("/")[2], None)
                self._answer(b"", 204)

            def log_message(self, *_):
                pass

        self.servers = []
        for name in ("vmapi", "cnapi", "imgapi"):
            port = port_base + 1 + SERVICES.index(name)
            server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)

    def image_call(self, path: str, data: bytes) -> tuple[bytes, int]:
        """Do what IMGAPI does to a placeholder: import, file, update, activate."""
        image_uuid, _, query = path.removeprefix("/images/").partition("?")
        image_uuid, _, _ = image_uuid.partition("/")
        if "action=import" in query:
            self.images[image_uuid] = {**json.loads(data), "state": "unactivated", "files": []}
        elif "compression" in query:
            if self.broken_upload:
                return b'{"code":"Upload"}', 400
            self.files[image_uuid] = data
            self.images[image_uuid]["files"] = [{"size": len(data), "compression": "none"}]
        elif "action=update" in query:
            self.images[image_uuid] |= json.loads(data)
        else:
            self.images[image_uuid]["state"] = "active"
        return json.dumps(self.images[image_uuid]).encode(), 200

    def wait_for(self, path_end: str, test, timeout: float = 10) -> dict:
        """The first pushed body for which ``test`` holds."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for path, body in self.pushed:
                    if path.endswith(path_end) and test(body):
                        return body
                if not self.changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"never pushed to {path_end}: {self.pushed}")

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


def until(found, timeout: float = 10):
    """Call ``found`` until it gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (result := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return result


class TaskFailed(Exception):
    def __init__(self, answer: dict) -> None:
        super().__init__(answer)
        self.message = answer["error"]
        self.code = answer["details"]["restCode"]
        self.details = answer["details"]


class TestedNode:
    """An agent in a process of its own."""

    __test__ = False

    def __init__(
        self, state: Path, port_base: int, instance: str = "z", environment: dict | None = None, **settings
    ) -> None:
        self.state = state
        self.environment = {**os.environ, **(environment or {})}
        self.port = port_base + 30
        self.settings = state / "datacenter.json"
        state.mkdir(parents=True, exist_ok=True)
        facts = {"state": str(state), "instance": instance, "port_base": port_base, **settings}
        self.settings.write_text(json.dumps(facts))
        self.process = None

    @property
    def mark(self) -> str:
        """What the names of the node's cgroup and short home end with."""
        return (self.state / "nodes" / "0" / "server_uuid").read_text()[:8]

    def _command(self, *extra: str) -> list[str]:
        return [sys.executable, "-m", "datacenter.node", "--settings", str(self.settings), "--number", "0", *extra]

    def start(self) -> None:
        self.process = subprocess.Popen(self._command(), env=self.environment)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self.process.poll() is None, "the agent ended"
                time.sleep(0.02)
        raise AssertionError("the agent does not listen")

    def crash(self) -> None:
        """kill -9, as the power of reviewers has it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.crash()
        subprocess.run(self._command("--cleanup"), check=True, timeout=60)

    def task(self, name: str, **params):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/tasks", json.dumps({"task": name, "params": params}))
            reply = connection.getresponse()
            body = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise TaskFailed(body)
        return body

    def create(self, *cmd: str, linux: dict | None = None, meta: dict | None = None, **fields) -> str:
        vm = str(uuid.uuid4())
        metadata = {"docker:id": vm.replace("-", "") * 2, "docker:cmd": json.dumps(cmd), **(meta or {})}
        if linux is not None:
            metadata["docker:linux"] = json.dumps(linux)
        payload = {
            "uuid": vm,
            "image_uuid": IMAGE,
            "max_physical_memory": 128,
            "max_swap": 256,
            "cpu_cap": 100,
            "max_lwps": 200,
            "nics": [],
            "internal_metadata": metadata,
        }
        self.task("machine_create", **(payload | fields))
        return vm

    def run(self, *cmd: str, **options) -> tuple[int, str]:
        """Run a container to its end: exit status and what it logged."""
        vm = self.create(*cmd, **options)
        self.task("machine_boot", uuid=vm)
        status = self.wait(vm)["exit_status"]
        return status, self.log(vm)

    def wait(self, vm: str, timeout: float = 10) -> dict:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            fields = self.task("machine_load", uuid=vm)["vm"]
            if fields["state"] == "stopped" and fields["exit_timestamp"]:
                return fields
            time.sleep(0.01)
        raise AssertionError("still running")

    def log(self, vm: str) -> str:
        path = self.state / "nodes" / "0" / "zones" / vm / "stdio.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return "".join(line.split(" ", 3)[3] + "\n" for line in lines)


def nic(number: int = 5) -> dict:
    return {
        "mac": f"90:b8:d0:00:00:{number:02x}",
        "ip": f"10.153.240.{number}",
        "netmask": "255.255.252.0",
        "gateway": "10.153.240.1",
        "network_uuid": NETWORK,
        "primary": True,
        "mtu": 1500,
    }


def free_port_base() -> int:
    """The first port of a block nobody listens on, below those that the kernel gives to outgoing connections."""
    blocks = range(20400, 32600, 60)
    start = os.getpid() % len(blocks)
    return next(base for base in [*blocks[start:], *blocks[:start]] if _free(base))


def _free(base: int) -> bool:
    for port in (*range(base + 1, base + 12), *range(base + 30, base + 34)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_instance() -> str:
    """A letter no other instance on this machine uses, as far as one can see."""
    taken = {path.name[4] for path in Path("/sys/fs/cgroup").glob("**/tdg-?-*")}
    taken |= {link.name[3] for link in Path("/sys/class/net").glob("tdg?*")}
    letters = "nopqrsmlkjihgfedcb"  # those from t on are the end-to-end tests', which may begin after us
    start = os.getpid() % len(letters)
    return next(letter for letter in letters[start:] + letters if letter not in taken)
