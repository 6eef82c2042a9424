# SPDX-License-Identifier: BSD-3-Clause
"""Run Tcl texts in the stand-ins, in this process."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vendor import vivado


def run(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a Tcl text in the stand-in for Vivado; what it complains of."""
    return complaint_of(vivado.main, ["-mode", "batch", "-source"], text, folder, monkeypatch)


def complaint_of(
    tool: Callable[[list[str]], int],
    arguments: list[str],
    text: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    script, journals = folder / "script.tcl", folder / "journals"
    script.write_text(text)
    shutil.rmtree(journals, ignore_errors=True)
    journals.mkdir()
    monkeypatch.setenv("STANDIN_JOURNALS", str(journals))
    monkeypatch.chdir(folder)
    status = tool([*arguments, str(script)])
    errors = "".join(path.read_text() for path in journals.glob("*.error"))
    assert bool(status) == bool(errors)
    return errors


def edited(text: str, pattern: str, replacement: str, count: int = 1) -> str:
    """The text with the first matches replaced; it must match."""
    text, found = re.subn(pattern, replacement, text, count=count, flags=re.MULTILINE)
    assert found, pattern
    return text
