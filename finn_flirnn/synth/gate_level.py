# SPDX-License-Identifier: BSD-3-Clause
"""The synthesised netlist as a module that the simulator takes: synthesis checked against the oracle."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.synth.cell_models import cell_models
from finn_flirnn.synth.cells import Family
from finn_flirnn.synth.yosys import (
    DEFAULT_MEMORY_GIB,
    DEFAULT_TIMEOUT_S,
    SynthesisError,
    read_command,
    run_yosys,
    synthesis_command,
)


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
    ``build_model(module, lint=False, optimisation=0)``. Every cell is as ``synthesise`` has it; a cell or
    a mode of one without a model (see ``cell_models``) makes that compilation fail.
    Raises SynthesisError.
    """
    family = Family(family)
    directory.mkdir(parents=True, exist_ok=True)
    target = (directory / f"{module.top}_netlist.v").resolve()
    commands = [
        read_command(module),
        synthesis_command(module.top, family),
        ["write_verilog", "-noattr", str(target)],
    ]
    run_yosys(commands, module.directory, memory_limit_gib, timeout_s)
    if not target.is_file():
        raise SynthesisError(f"Yosys left no {target}; its log is silent about it, so reinstall pyosys")
    models = directory.resolve() / f"{family}_cells.sv"
    models.write_text(cell_models(family))
    return RtlModule(
        top=module.top,
        directory=directory.resolve(),
        sources=(models, target),
        data=(),
        inputs=module.inputs,
        outputs=module.outputs,
    )
