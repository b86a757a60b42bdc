"""Small rooms: no module over 400 lines, no function over 60, no room named for nothing in particular."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
ROOMS = ("gateway", "middleware", "translators", "sdc", "datacenter", "grammars", "tools", "benchmarks", "tests")
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}


def problems(path: Path) -> list[str]:
    text = path.read_text()
    found = []
    lines = text.count("\n")
    if lines > MOST_LINES:
        found.append(f"{path}: {lines} lines, more than {MOST_LINES}")
    if path.stem in NAMELESS:
        found.append(f"{path}: {path.stem} names no concept")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > MOST_FUNCTION_LINES and path.parts[0] != "tests":
                found.append(f"{path}:{node.lineno}: {node.name} has {size} lines, more than {MOST_FUNCTION_LINES}")
    return found


def main() -> int:
    found = [line for room in ROOMS for path in sorted(Path(room).rglob("*.py")) for line in problems(path)]
    print("\n".join(found) or "all rooms are small")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
