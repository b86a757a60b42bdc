"""How long a container's life takes here: medians of create, start, wait, remove, exec and docker run.

Drives the endpoint of DOCKER_HOST with the certificates of DOCKER_CERT_PATH, over one kept connection.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path

ROUNDS = 15


def connection() -> http.client.HTTPSConnection:
    host, _, port = os.environ["DOCKER_HOST"].removeprefix("tcp://").rpartition(":")
    certs = Path(os.environ["DOCKER_CERT_PATH"])
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(certs / "cert.pem", certs / "key.pem")
    return http.client.HTTPSConnection(host, int(port), context=context)


class Engine:
    def __init__(self) -> None:
        self._connection = connection()

    def call(self, method: str, path: str, body: object = None) -> object:
        data = json.dumps(body) if body is not None else None
        self._connection.request(method, f"/v1.41{path}", data, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text.strip() else None


def lifecycle(engine: Engine, times: dict[str, list[float]]) -> None:
    marks = [time.perf_counter()]
    made = engine.call("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
    assert isinstance(made, dict)
    path = f"/containers/{made['Id']}"
    marks.append(time.perf_counter())
    for method, rest in (("POST", "/start"), ("POST", "/wait"), ("DELETE", "")):
        engine.call(method, path + rest)
        marks.append(time.perf_counter())
    for name, begin, end in zip(("create", "start", "wait", "remove"), marks, marks[1:], strict=False):
        times[name].append(end - begin)
    times["create..remove"].append(marks[-1] - marks[0])


def cli(times: dict[str, list[float]], name: str, *args: str) -> None:
    begin = time.perf_counter()
    subprocess.run(["docker", *args], check=True, stdout=subprocess.DEVNULL)
    times[name].append(time.perf_counter() - begin)


def main() -> None:
    times: dict[str, list[float]] = defaultdict(list)
    engine = Engine()
    sleeper = engine.call("POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "600"]})
    assert isinstance(sleeper, dict)
    engine.call("POST", f"/containers/{sleeper['Id']}/start")
    try:
        for _ in range(ROUNDS):
            lifecycle(engine, times)
            cli(times, "docker run --rm", "run", "--rm", "busybox", "true")
            cli(times, "docker exec", "exec", sleeper["Id"], "true")
    finally:
        engine.call("DELETE", f"/containers/{sleeper['Id']}?force=1")
    for name, values in times.items():
        print(f"{name:18} {statistics.median(values) * 1000:8.1f} ms   (min {min(values) * 1000:.1f})")


if __name__ == "__main__":
    main()
