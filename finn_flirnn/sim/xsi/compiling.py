# SPDX-License-Identifier: BSD-3-Clause
"""What takes the place of xvlog and xelab in FINN's simulation flow."""

from __future__ import annotations

import shutil
from pathlib import Path

from finn_flirnn.sim.verilator import PORTS, verilate

HEADERS = (".vh", ".svh")
SOURCES = (".v", ".sv")


def compile_sim_obj(
    top_module_name: str,
    source_list: list[str],
    sim_out_dir: Path,
    debug: bool = False,
    behav: bool = False,
    fifosim: bool = False,
) -> tuple[Path, Path]:
    """Compile a design; parameters and result are those of ``finn_xsi.adapter.compile_sim_obj``.

    debug and behav make no difference: there are no waveforms, and the behavioural description is
    simulated always, with our models of the few AMD cells that finn_flirnn's library instantiates.
    Returns ``sim_out_dir`` and the library's path in it, which FINN wants below "xsim.dir".
    Raises RuntimeError for VHDL and for FIFO sizing by simulation; ToolError if Verilator refuses.
    """
    from finn_xsi.srcutil import order_pkg_first

    if fifosim:
        raise RuntimeError(
            "FINN's FIFO sizing by simulation links Vivado's libraries and cannot run on Verilator; "
            "give FIFO depths, or choose another auto_fifo_strategy"
        )
    sim_out_dir = Path(sim_out_dir)
    paths = [Path(source) for source in order_pkg_first(source_list)]
    for path in paths:
        if path.suffix not in HEADERS + SOURCES:
            raise RuntimeError(f"{path} cannot be simulated: Verilator reads {', '.join(SOURCES)} only")
    library = verilate(
        top_module_name,
        [path for path in paths if path.suffix in SOURCES],
        defines=["FINN_SIMULATION"],  # selects the behavioural description in finn-rtllib
        include_dirs=sorted({path.parent for path in paths if path.suffix in HEADERS}),
        lint=False,
        optimisation=1,  # FINN's engine, in Python, takes most of the time
    )
    relative = Path("xsim.dir") / top_module_name / "xsimk.so"
    target = sim_out_dir / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library.path, target)
    shutil.copyfile(library.path.parent / PORTS, target.parent / PORTS)
    return sim_out_dir, relative
