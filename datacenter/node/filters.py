"""Compiled seccomp filters, kept: compiling one takes crun three times as long as using it."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from datacenter.node.home import Home
from datacenter.node.runtime import Runtime
from datacenter.node.whole import write_whole

ANNOTATION = "run.oci.seccomp_bpf_data"
"""crun takes the filter from here, in base64, and then leaves ``linux.seccomp`` alone. Other runtimes don't look."""

MOST = 256
"""Filters that are kept: whoever makes containers may have a profile of its own for each."""


class Filters:
    """crun leaves the filter it compiled in a container's state; later containers of equal rights are given it."""

    def __init__(self, home: Home, runtime: Runtime) -> None:
        self._folder = home.root / "filters"
        self._state = home.runtime_state
        self._version = f"{runtime.program} {Path(runtime.program).stat().st_mtime_ns}"
        self._known: dict[str, str] = {}
        self._folder.mkdir(exist_ok=True)
        self._kept = sum(1 for _ in self._folder.iterdir())

    def use(self, config: dict[str, Any]) -> None:
        """Put the compiled filter for a config.json's ``linux.seccomp`` into it, when there is one."""
        key = self._key(config)
        if key not in self._known and (self._folder / key).exists():
            self._known[key] = (self._folder / key).read_text()
        if key in self._known:
            config["annotations"] = {ANNOTATION: self._known[key]}

    def learn(self, uuid: str, config: dict[str, Any]) -> None:
        """Keep the filter of a container that was just made, unless there are too many, or no room for it."""
        compiled = self._state / uuid / "seccomp.bpf"
        if "annotations" in config or not compiled.exists() or self._kept >= MOST:
            return
        data = compiled.read_bytes()
        if data and len(data) % 8 == 0:  # a BPF program is made of 8-byte instructions
            key, text = self._key(config), base64.b64encode(data).decode()
            with suppress(OSError):
                write_whole(self._folder / key, text.encode())  # half a filter would be none
                self._known[key] = text
                self._kept += 1

    def _key(self, config: dict[str, Any]) -> str:
        profile = msgspec.json.encode(config["linux"].get("seccomp"))
        return hashlib.sha256(self._version.encode() + profile).hexdigest()[:32]
