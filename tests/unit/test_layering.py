# SPDX-License-Identifier: BSD-3-Clause
"""Imports go one way (docs/architecture.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "finn_flirnn"


def _allowed() -> dict[str, set[str]]:
    """The table of docs/architecture.md: package -> packages that it may import."""
    everything = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    allowed: dict[str, set[str]] = {}
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        if row := re.fullmatch(r"\| ([a-z, ]+) \| ([a-z, -]+) \| .* \|", line):
            names, targets = (set(re.split(r",\s*", cell.strip())) for cell in row.groups())
            if targets == {"may import"}:
                continue
            for name in names:
                allowed[name] = everything if targets == {"everything"} else targets - {"-"}
    assert allowed.keys() == everything
    return allowed


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" if node.module == "finn_flirnn" else node.module
                     for alias in node.names]  # fmt: skip
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("finn_flirnn.")}
    return found


@pytest.mark.parametrize("package", sorted(_allowed()))
def test_package_imports_only_what_lies_below(package: str) -> None:
    allowed = _allowed()[package] | {package, "__version__"}
    for path in (PACKAGE / package).rglob("*.py"):
        assert _imports(path) <= allowed, path


def test_no_file_is_past_400_lines() -> None:
    sources = [p for p in ROOT.rglob("*") if p.suffix in {".py", ".sv"} and p.is_file()]
    folders = {"finn_flirnn", "models", "transforms", "tests"}
    ours = [p for p in sources if p.relative_to(ROOT).parts[0] in folders]
    assert ours
    assert [p for p in ours if len(p.read_text().splitlines()) > 400] == []
