# SPDX-License-Identifier: BSD-3-Clause
"""How fast a module is by itself: placed and routed behind a few pins, registers on both sides."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.codegen.template import render
from finn_flirnn.common.files import write_atomically
from finn_flirnn.synth.cells import Family
from finn_flirnn.synth.place import Ecp5Part, PlacementReport, place_and_route
from finn_flirnn.synth.report import synthesise

NAME = "out_of_context"

_PROBE = """// SPDX-License-Identifier: BSD-3-Clause
// Generated. $top behind four pins: inputs from a shift register, outputs into another one.
module $name (
    input  logic clk,
    input  logic rst_n,
    input  logic serial_in,
    output logic serial_out
);
  logic [$input_high:0] line, given;
  logic [$output_high:0] seen, taken;
  logic reset_n;
  always_ff @(posedge clk) begin
    reset_n <= rst_n;
    line <= {line[$shift_high:0], serial_in};
    given <= line;
    taken <= seen;
    serial_out <= ^taken;
  end
  $top u_top (
      .ap_clk(clk), .ap_rst_n(reset_n),
$connections
  );
endmodule
"""


def probe(module: RtlModule, directory: Path) -> RtlModule:
    """Write the module that wraps ``module`` into ``directory``."""
    inputs = [(f"{p.name}_{part}", bits) for p in module.inputs for part, bits in _forward(p.padded_bits)]
    inputs += [(f"{p.name}_TREADY", 1) for p in module.outputs]
    outputs = [(f"{p.name}_{part}", bits) for p in module.outputs for part, bits in _forward(p.padded_bits)]
    outputs += [(f"{p.name}_TREADY", 1) for p in module.inputs]
    width = sum(bits for _, bits in inputs)
    connections = [*_slices("given", inputs), *_slices("seen", outputs)]
    text = render(
        _PROBE,
        name=NAME,
        top=module.top,
        input_high=width - 1,
        shift_high=width - 2,
        output_high=sum(bits for _, bits in outputs) - 1,
        connections=",\n".join(connections),
    )
    source = write_atomically(directory / f"{NAME}.sv", text).resolve()
    return RtlModule(NAME, module.directory, (*module.sources, source), module.data, (), ())


def out_of_context_timing(
    module: RtlModule,
    directory: Path,
    *,
    clock_mhz: float,
    part: Ecp5Part | None = None,
    seed: int = 1,
) -> PlacementReport:
    """Place and route a module without a board around it, into ``directory``; ``fmax_mhz`` tells its speed.

    clock_mhz: what the tools aim at; a goal out of reach is no error here. The wrapper adds two registers
    for each bit of a port, and no path of its own between the module's registers.
    Raises SynthesisError.
    """
    netlist = directory / f"{NAME}.json"
    synthesise(probe(module, directory), Family.ECP5, netlist=netlist)
    return place_and_route(netlist, directory, clock_mhz=clock_mhz, part=part, seed=seed, check_timing=False)


def _forward(bits: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("TDATA", bits), ("TVALID", 1)


def _slices(signal: str, ports: list[tuple[str, int]]) -> list[str]:
    lines, low = [], 0
    for name, bits in ports:
        lines.append(f"      .{name}({signal}[{low + bits - 1}:{low}])")
        low += bits
    return lines
