# SPDX-License-Identifier: BSD-3-Clause
"""The project's own wheel holds all that the package holds: code, RTL, templates, checkpoints, grids."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "finn_flirnn", "models", "transforms")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Files in a wheel built from a copy: building leaves traces beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, tree / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, tree / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder)], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_file_of_the_package(names: set[str]) -> None:
    expected = {
        Path(folder, file).relative_to(ROOT).as_posix()
        for folder, _, files in os.walk(ROOT / "finn_flirnn", followlinks=True)
        for file in files
        if "__pycache__" not in folder
    }
    assert len(expected) > 100
    assert sorted(expected - names) == []


def test_wheel_holds_checkpoints_teachers_and_grids(names: set[str]) -> None:
    for name in ("seq2seqlite32_8bit", "seq2seqlite32_4bit", "teachers/float64"):
        for suffix in (".npz", ".json"):
            assert f"finn_flirnn/models/checkpoints/{name}{suffix}" in names
    assert "finn_flirnn/study/grids/two_cores.json" in names
