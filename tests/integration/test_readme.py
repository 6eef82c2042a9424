# SPDX-License-Identifier: BSD-3-Clause
"""README.md tells the truth: its Python runs, its commands parse, its tables come from the stored results."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.build.main import parser
from finn_flirnn.build.results import RENDERERS, RESULTS, fill_in, insert

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_python_example_gives_lifetimes_near_the_truth() -> None:
    (example,) = _blocks("python")
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)  # the block as a reader would paste it
    assert np.median(names["error_ns"]) < 0.2


def test_commands_are_accepted_by_the_command_line() -> None:
    lines = [line for block in _blocks("bash") for line in block.splitlines()]
    calls = [shlex.split(line) for line in lines]
    ours = [c[1:] for c in calls if c[0] == "finn-flirnn"]
    ours += [["build", *c[2:]] for c in calls if c[:2] == ["python", "build.py"]]
    assert len(ours) == 3
    for words in ours:
        assert parser(words[0]).parse_args(words).command


def test_files_that_it_names_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_tables_are_those_of_the_stored_results() -> None:
    assert README == fill_in(README)


def test_every_stored_result_is_a_table() -> None:
    assert {path.stem for path in RESULTS.glob("*.json")} == set(RENDERERS)


def test_a_readme_without_markers_is_refused() -> None:
    marked = "a<!-- build:begin -->old<!-- build:end -->b"
    assert insert(marked, "build", "new") == "a<!-- build:begin -->\nnew\n<!-- build:end -->b"
    with pytest.raises(ValueError, match="once each"):
        insert("no markers", "build", "new")
