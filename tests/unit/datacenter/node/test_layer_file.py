"""The file that a layer is written to: its digest, its holes, its limit."""

from __future__ import annotations

import hashlib
import io

import pytest

from datacenter.node.files import layer


def test_zeros_become_holes_and_count_all_the_same(tmp_path):
    content = b"begin" + bytes(1 << 20) + b"end"
    with (tmp_path / "layer").open("w+b") as file:
        target = layer.LayerFile(file)
        target.sendall(content[:100])
        assert target.sendfile(io.BytesIO(content[100:]), count=len(content) - 100) == len(content) - 100
        target.sendall(bytes(1 << 17))
        target.finish()
    assert (tmp_path / "layer").read_bytes() == content + bytes(1 << 17)
    assert target.size == len(content) + (1 << 17)
    assert target.digest == "sha256:" + hashlib.sha256(content + bytes(1 << 17)).hexdigest()


def test_a_layer_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(layer, "LARGEST", 1000)
    with (tmp_path / "layer").open("w+b") as file, pytest.raises(layer.LayerTooLargeError):
        layer.LayerFile(file).sendall(bytes(1001))
