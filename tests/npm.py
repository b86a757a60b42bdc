"""Packages from npm, installed as they are published, for tests that drive them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(package_json: Path) -> Path:
    """The folder of node_modules that a package.json asks for, filled by npm once and kept for later runs."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    wanted = package_json.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "triton-docker-gateway" / f"npm-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_bytes(wanted)
        argv = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=300)
        (folder / "complete").touch()
    return folder / "node_modules"
