# SPDX-License-Identifier: BSD-3-Clause
"""Resources of a module by Yosys: what a build can know of its hardware without a vendor's tool."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.synth.cells import Family, cost_of
from finn_flirnn.synth.yosys import (
    DEFAULT_MEMORY_GIB,
    DEFAULT_TIMEOUT_S,
    read_command,
    run_yosys,
    synthesis_command,
    yosys_version,
)

MAPPED_DELAY = re.compile(r"ABC: \w:\s+Del =\s+([\d.]+)\.")
PS_PER_NS = 1000


@dataclass(frozen=True)
class SynthesisReport:
    """Yosys' estimate of a module.

    Registers of multipliers count as part of the DSP, for the library instantiates the cells with them.
    bram36: blocks of 36 Kb. abc9_delay_ns: delay of the slowest mapped path before routing, at the
    figures of a 7-series device also for xcup; None if nothing was mapped. fmax_mhz: None, as only a
    router can tell it. cells: number by type. seconds: duration.
    """

    tool: str
    version: str
    family: Family
    lut: int
    ff: int
    dsp: int
    bram36: float
    uram: int
    abc9_delay_ns: float | None
    fmax_mhz: float | None
    cells: dict[str, int]
    seconds: float


def synthesise(
    module: RtlModule,
    family: Family | str = Family.XCUP,
    *,
    memory_limit_gib: float = DEFAULT_MEMORY_GIB,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    netlist: Path | None = None,
) -> SynthesisReport:
    """Synthesise a module out of context and count what it takes.

    family: "xcup" (UltraScale+), "xc7" (7 series) or "ecp5". The limits hold for the child process.
    netlist: write the netlist there, as JSON.
    Raises SynthesisError; ValueError if a cell's cost is not known.
    """
    family = Family(family)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        statistics = Path(work) / "stat.json"
        commands = [
            read_command(module),
            synthesis_command(module.top, family),
            ["tee", "-q", "-o", str(statistics), "stat", "-json"],
            *([["write_json", str(netlist.resolve())]] if netlist else []),
        ]
        log = run_yosys(commands, module.directory, memory_limit_gib, timeout_s)
        cells: dict[str, int] = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    cost = cost_of(cells, family)
    return SynthesisReport(
        tool="yosys",
        version=yosys_version(),
        family=family,
        lut=cost.lut,
        ff=cost.ff,
        dsp=cost.dsp,
        bram36=cost.bram36,
        uram=cost.uram,
        abc9_delay_ns=mapped_delay_ns(log),
        fmax_mhz=None,
        cells=dict(sorted(cells.items())),
        seconds=time.monotonic() - started,
    )


def mapped_delay_ns(log: str) -> float | None:
    """Delay after abc9's last mapping pass, ns; None if the log holds none.

    >>> mapped_delay_ns("ABC: P:  Del = 2856.00.  Ar = 2716.0.\\nABC: A:  Del = 2500.00.  Ar = 2314.0.")
    2.5
    """
    found = MAPPED_DELAY.findall(log)
    return float(found[-1]) / PS_PER_NS if found else None
