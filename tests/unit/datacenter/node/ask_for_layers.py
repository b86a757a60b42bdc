"""Many ask a node for one image at once. Run it under ``gevent.monkey``, as the node's agent is.

Prints what came of it, as JSON: who failed, how often each file was sent, and what the folders hold.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import uuid
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import gevent
import gevent.event
from gevent.pywsgi import WSGIServer

from datacenter.node.layers import Layers


def layer(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(name)
        tar.addfile(info, io.BytesIO(name.encode()))
    return gzip.compress(out.getvalue())


class Imgapi:
    """Two layers, one upon the other. ``gate`` holds files back; ``broken`` is how many answers to a file are wrong.

    ``cut`` is how many break off, as when the services are killed, which are then away for a moment.
    """

    def __init__(self) -> None:
        self.base, self.top = str(uuid.uuid4()), str(uuid.uuid4())
        self.files = {self.base: layer("base"), self.top: layer("top")}
        self.asked: Counter = Counter()
        self.gate = gevent.event.Event()
        self.broken = self.cut = 0

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        self.asked[path] += 1
        image = path.split("/")[2]
        if image not in self.files:
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        data = self.manifest(image)
        if path.endswith("/file"):
            self.gate.wait()
            data = self.files[image]
            if self.broken:
                self.broken -= 1
                data = data[: len(data) // 2]
        start_response("200 OK", [("Content-Length", str(len(data)))])
        if path.endswith("/file") and self.cut:
            self.cut -= 1
            return self.broken_off(data)
        return [data]

    @staticmethod
    def broken_off(data: bytes):
        yield data[: len(data) // 2]
        raise ConnectionAbortedError

    def manifest(self, image: str) -> bytes:
        told = {"uuid": image, "files": [{"compression": "gzip", "size": len(self.files[image])}]}
        return json.dumps(told | ({"origin": self.base} if image == self.top else {})).encode()

    def files_sent(self) -> list[int]:
        return [count for path, count in self.asked.items() if path.endswith("/file")]


def main(folder: Path, broken: int, cut: int, tops: int, bases: int) -> None:
    imgapi = Imgapi()
    imgapi.broken, imgapi.cut = broken, cut
    server = WSGIServer(("127.0.0.1", 0), imgapi, log=None)
    server.start()
    url = f"http://127.0.0.1:{server.server_port}"
    layers = Layers(SimpleNamespace(layers=folder, settings=SimpleNamespace(url=lambda _: url)))
    work = [gevent.spawn(layers.ensure, image) for image in [imgapi.top] * tops + [imgapi.base] * bases]
    gevent.sleep(0.1)  # until all of them wait: the files are held back
    imgapi.gate.set()
    gevent.joinall(work, timeout=20)
    sent = imgapi.files_sent()
    chain = layers.ensure(imgapi.top)
    told = {
        "failed": [type(job.exception).__name__ for job in work if not job.successful()],
        "chains": len({tuple(job.value) for job in work[:tops] if job.successful()}),
        "sent": sent,
        "sent later": imgapi.files_sent(),
        "content": [(folder / name / own).read_text() for name, own in zip(chain, ("top", "base"), strict=True)],
        "left": [path.name for path in folder.iterdir() if path.suffix in (".file", ".partial")],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
