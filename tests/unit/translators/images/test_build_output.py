"""Frames of a build's RUN become text, wherever they are cut."""

from __future__ import annotations

import struct

import pytest

from translators.images.build_output import BuildOutput


def frame(kind, text):
    return struct.pack(">BxxxL", kind, len(text.encode())) + text.encode()


STREAM = frame(1, "plain é\n") + frame(2, "wrong ü\n") + frame(1, "") + frame(1, "more\n")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9, 11, 1000])
def test_text_keeps_its_order_and_what_is_wrong_is_red(size):
    output = BuildOutput()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    told = "".join(text for piece in pieces for text in output.feed(piece))
    joined = told.replace("\033[0m\033[91m", "")
    assert joined == "plain é\n\033[91mwrong ü\n\033[0mmore\n"


def test_what_is_no_utf_8_is_replaced():
    output = BuildOutput()
    assert "".join(output.feed(struct.pack(">BxxxL", 1, 2) + b"\xffx")) == "\ufffdx"
