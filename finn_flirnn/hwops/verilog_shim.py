# SPDX-License-Identifier: BSD-3-Clause
"""A plain Verilog module around a generated SystemVerilog module of the same ports.

Vivado places a module into a block design by reference only if its file is Verilog or VHDL; what
lies below it may be SystemVerilog.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.wrapper import LOAD_INPUTS
from finn_flirnn.common.files import write_atomically

_SHIM = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $inner for a Vivado block design, which takes no SystemVerilog module by reference.
module $name (
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF $busses, ASSOCIATED_RESET ap_rst_n" *)
    input  wire ap_clk,
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire ap_rst_n,
$ports
);
  $inner u_engine (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
$connections
  );
endmodule
"""


def wrap_in_verilog(module: RtlModule, name: str) -> RtlModule:
    """Write ``<name>.v`` into the module's folder and return the module it is the top of."""
    streams = (*module.inputs, *module.outputs)
    ports = [_ports(p, "input") for p in module.inputs] + [_ports(p, "output") for p in module.outputs]
    text = render(
        _SHIM,
        name=name,
        inner=module.top,
        busses=":".join(p.name for p in streams),
        ports=",\n".join(ports),
        connections=",\n".join(
            [
                "      " + ", ".join(f".{p.name}_{s}({p.name}_{s})" for s in ("TDATA", "TVALID", "TREADY"))
                for p in streams
            ]
            + [f"      .{name}({LOAD_INPUTS[name]}'h0)" for name in module.idle]
        ),
    )
    path = write_atomically(Path(module.directory) / f"{name}.v", text)
    return replace(module, top=name, sources=(*module.sources, path))


def _ports(port: StreamPort, direction: str) -> str:
    other = "output" if direction == "input" else "input"
    return (
        f"    {direction:6} wire [{port.padded_bits - 1}:0] {port.name}_TDATA,\n"
        f"    {direction:6} wire {port.name}_TVALID,\n"
        f"    {other:6} wire {port.name}_TREADY"
    )
