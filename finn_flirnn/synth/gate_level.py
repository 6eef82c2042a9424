# SPDX-License-Identifier: BSD-3-Clause
"""The synthesised netlist as a module that the simulator takes: synthesis checked against the oracle."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.synth.cells import Family
from finn_flirnn.synth.yosys import (
    DEFAULT_MEMORY_GIB,
    DEFAULT_TIMEOUT_S,
    SynthesisError,
    read_command,
    run_yosys,
    synthesis_command,
    yosys_share,
)

# Attributes that ask for block RAM win over -nobram.
FORGET_RAM_STYLES = ["setattr", "-unset", "rom_style", "-unset", "ram_style", "*/m:*", "*/w:*", "*/c:*"]


def netlist(
    module: RtlModule,
    family: Family | str,
    directory: Path,
    *,
    memory_limit_gib: float = DEFAULT_MEMORY_GIB,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> RtlModule:
    """Synthesise a module and write its netlist into ``directory``.

    The result has the same ports and streams; compile it with
    ``build_model(module, lint=False, optimisation=0)``. Memories are mapped to LUTs, because Yosys' model
    of a block RAM has no behaviour; all else (LUT, carry, flip-flop, distributed RAM, DSP48E1) is as
    ``synthesise`` has it.
    Raises SynthesisError; ValueError for a family other than xc7, whose cells alone have models.
    """
    family = Family(family)
    if family is not Family.XC7:
        raise ValueError(f"family={family} has no simulation models in Yosys; choose {Family.XC7}")
    directory.mkdir(parents=True, exist_ok=True)
    target = (directory / f"{module.top}_netlist.v").resolve()
    commands = [
        read_command(module),
        FORGET_RAM_STYLES,
        synthesis_command(module.top, family, "-nobram"),
        ["write_verilog", "-noattr", str(target)],
    ]
    run_yosys(commands, module.directory, memory_limit_gib, timeout_s)
    models = yosys_share() / "xilinx" / "cells_sim.v"
    if not target.is_file() or not models.is_file():
        raise SynthesisError(f"Yosys left no {target}, or its {models} is missing; reinstall pyosys")
    return RtlModule(
        top=module.top,
        directory=directory.resolve(),
        sources=(models, target),
        data=(),
        inputs=module.inputs,
        outputs=module.outputs,
    )
