from __future__ import annotations

from gateway.wire.ndjson import encode_json


def test_a_document_is_one_line():
    assert encode_json({"a": [1, None, "ü\n"]}) == '{"a":[1,null,"ü\\n"]}\n'.encode()
    assert encode_json({"status": "Pulling"}, end=b"\r\n").endswith(b"}\r\n")
