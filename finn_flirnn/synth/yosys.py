# SPDX-License-Identifier: BSD-3-Clause
"""Running Yosys under a limit of memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.rtl import primitive_models
from finn_flirnn.synth.cells import Family

GIB = 1 << 30
DEFAULT_MEMORY_GIB = 8.0
DEFAULT_TIMEOUT_S = 1800.0
LOG_TAIL = 15

Command = list[str]


class SynthesisError(RuntimeError):
    """Yosys is missing, refused its input, or ran over a limit."""


def yosys_version() -> str:
    """Version of the package pyosys."""
    return version("pyosys")


def yosys_share() -> Path:
    """Folder of Yosys' technology libraries. Raises SynthesisError if pyosys is missing."""
    spec = find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise SynthesisError("package pyosys is missing; run pip install pyosys==0.70")
    return Path(spec.submodule_search_locations[0]) / "share"


def read_command(module: RtlModule) -> Command:
    """Command that reads a module.

    read_slang: Yosys' own front end knows neither packages nor names inside generate blocks.
    Vendor cells come in as black boxes, with the ports of our simulation models.
    """
    sources = [str((module.directory / source).resolve()) for source in module.sources]
    cells = [word for model in primitive_models() for word in ("--blackboxed-module", model.stem)]
    models = [word for model in primitive_models() for word in ("-v", str(model))]
    return ["read_slang", "--ignore-assertions", *cells, *models, "--top", module.top, *sources]


def synthesis_command(top: str, family: Family, *options: str) -> Command:
    """Yosys' script for a family, without pads: the module is a part of a design."""
    if family is Family.ECP5:
        words = ["synth_ecp5"]
    else:
        words = ["synth_xilinx", "-family", family.value, "-flatten", "-noiopad", "-noclkbuf"]
    return [*words, *options, "-top", top]


def run_yosys(
    commands: Sequence[Command],
    directory: Path,
    memory_limit_gib: float = DEFAULT_MEMORY_GIB,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> str:
    """Run commands in a child process within ``directory``; memory files are found relative to it.

    Returns the log. Raises SynthesisError with the end of the log.
    """
    yosys_share()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "finn_flirnn.synth.worker", str(int(memory_limit_gib * GIB))],
            input=json.dumps(commands),
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise SynthesisError(
            f"Yosys was not done after {timeout_s:g} s; raise timeout_s or choose a smaller design"
        ) from expired
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-LOG_TAIL:])
        raise SynthesisError(
            f"Yosys failed with status {done.returncode} (memory limit {memory_limit_gib:g} GiB):\n{tail}"
        )
    return done.stdout
