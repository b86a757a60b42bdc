"""docs/middleware.md knows every built-in member, every option and its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.chain_loading import find_class
from gateway.settings import Settings
from middleware.base import MOMENTS

TEXT = (Path(__file__).parents[3] / "docs/middleware.md").read_text()
SECTIONS = {part.split("\n", 1)[0]: part for part in TEXT.partition("## Built-in members")[2].split("\n### ")[1:]}


def test_all_members_of_the_chain_have_a_section_in_its_order():
    assert tuple(SECTIONS) == Settings().chain


def test_all_moments_are_in_the_table():
    assert tuple(re.findall(r"^\| `(\w+)\(call", TEXT, re.MULTILINE)) == tuple(MOMENTS)


@pytest.mark.parametrize("name", Settings().chain)
def test_all_options_with_their_defaults(name):
    options = find_class(name).Options()
    shown = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", SECTIONS[name], re.MULTILINE))
    assert tuple(shown) == options.__struct_fields__
    for option, text in shown.items():
        default = getattr(options, option)
        if default in ("", None, (), {}):
            assert text in {"none", "empty", "the top-level setting"}, option
        elif not text.endswith("in `state_dir`"):
            assert text.strip("`") == str(default).replace("True", "true").replace("False", "false"), option
