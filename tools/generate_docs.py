"""Write docs/settings.md and docs/compatibility.md from the code that they describe; ``--check`` only compares."""

from __future__ import annotations

import json
import sys
import typing
from pathlib import Path

import msgspec

from gateway.blueprints import RESOURCES
from gateway.capability_page import page
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def settings() -> str:
    rows = ["# Settings", "", "Generated from `gateway/settings.py`. A file (`conf/gateway.toml`) sets them, and an"]
    rows += ["environment variable wins over it: `GATEWAY_<SECTION>__<FIELD>`, `GATEWAY_<FIELD>` at the top level.", ""]
    rows += _table("", Settings)
    return "\n".join(rows) + "\n"


def _table(section: str, model: type[msgspec.Struct]) -> list[str]:
    rows = [f"## {f'[{section}]' if section else 'Top level'}", "", "| setting | default | meaning |", "|---|---|---|"]
    nested = []
    for field in msgspec.structs.fields(model):
        kind = field.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            nested += ["", *_table(field.name, kind)]
            continue
        words = next((m.description for m in typing.get_args(kind)[1:] if getattr(m, "description", None)), "")
        default = json.dumps(field.default if field.default is not msgspec.NODEFAULT else {})
        rows.append(f"| `{field.name}` | `{default}` | {words or f'Base URL of {field.name.upper()}'} |")
    return rows + nested


def compatibility() -> str:
    return page(name for resource in RESOURCES for name in resource.handled)


PAGES = {"docs/settings.md": settings, "docs/compatibility.md": compatibility}


def main() -> int:
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}; run python tools/generate_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
