"""The rules of the house that a machine can check; docs/architecture.md tells them to people."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.blueprints import RESOURCES
from gateway.operations import OPERATIONS, by_name
from gateway.pipeline import Pipeline
from gateway.settings import Settings, load

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "middleware", "translators", "sdc", "datacenter", "grammars")
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}

SWALLOWING = {
    "gateway/chain_steps.py:__call__": "a member of an operator's own may break; on_error says what then",
    "gateway/direct.py:answer": "the edge of what is answered without Flask, which answers faults of ours likewise",
    "gateway/pipeline.py:run": "whatever the error is, undo runs and members see it; what they left of it is raised",
    "gateway/pipeline.py:take_back": "one undo that fails must not stop the others",
    "translators/leadership.py:_keep_on": "endless work in the background is taken up again: nobody else would do it",
    "gateway/wire/worker.py:_answer": "the edge: a fault in one answer costs its connection, not the worker",
}
"""Places where an except of everything does not raise again, each with its reason."""

MODULES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def functions(tree: ast.AST, name: str = "<module>"):
    """Every node with the name of the innermost function around it."""
    for child in ast.iter_child_nodes(tree):
        inner = child.name if isinstance(child, ast.FunctionDef) else name
        yield inner, child
        yield from functions(child, inner)


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in caught
    )


def cleans_up(handler: ast.ExceptHandler) -> bool:
    """It ends with a bare raise: what was caught goes on its way."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def code_of(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_who_may_import_whom():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rooms_are_small_and_named_for_what_is_in_them(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    check = runpy.run_path("tools/check_sizes.py")
    assert check["main"]() == 0, capsys.readouterr().out


def test_nothing_is_named_for_nothing_in_particular():
    parts = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not parts & NAMELESS


def test_errors_are_swallowed_in_known_places_only():
    found = {
        f"{name_of(path)}:{function}"
        for path in MODULES
        for function, node in functions(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not cleans_up(node)
    }
    assert found == SWALLOWING.keys()


def test_the_gateway_starts_greenlets_through_wire_alone():
    """A bare gevent.spawn has no request id, and nobody who stops it."""
    bare = re.compile(r"\bgevent\.spawn|from gevent(\.\w+)* import .*\b(spawn|spawn_later|Greenlet)\b|\bGreenlet\(")
    outside = [path for path in MODULES if name_of(path).startswith(("gateway/", "middleware/", "translators/"))]
    found = [name_of(path) for path in outside if bare.search(path.read_text())]
    assert found == ["gateway/wire/spawn.py"]


def test_nobody_draws_from_the_chance_that_all_share():
    """A thread in the background that does so changes what another, a property test, say, is about to draw."""
    shared = re.compile(r"\brandom\.(?!Random\b|SystemRandom\b)\w+\(|from random import (?!Random\b)")
    assert [name_of(path) for path in MODULES if shared.search(path.read_text())] == []


def test_the_generated_pages_are_current(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["generate_docs.py", "--check"])
    generate = runpy.run_path(str(ROOT / "tools/generate_docs.py"))
    assert generate["main"]() == 0, capsys.readouterr().out


def test_names_of_operations_are_unique_and_so_are_their_routes():
    assert len({row.name for row in OPERATIONS}) == len(OPERATIONS)
    assert len({(row.method, row.path) for row in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_handler_has_a_row_that_is_not_refused(resource):
    assert resource.handled
    for name in resource.handled:
        assert not by_name(name).refusal


def test_the_settings_file_says_what_the_settings_default_to():
    settings = load(ROOT / "conf/gateway.toml", environ={})
    assert settings.chain == Settings().chain
    assert (settings.listen, settings.tls, settings.services) == (
        Settings().listen,
        Settings().tls,
        Settings().services,
    )
    assert settings.triton == Settings().triton
    Pipeline.load(settings)


def test_commands_in_the_pages_exist():
    """make targets are in the Makefile, docker-gateway's commands in its help, files where links point."""
    from gateway.cli import main

    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text()
        code = "\n".join(code_of(text))
        assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets, page
        assert set(re.findall(r"\bdocker-gateway ([a-z]+)\b", code)) <= main.commands.keys(), page
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (page.parent / link).exists(), f"{page}: {link}"
