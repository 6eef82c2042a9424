# SPDX-License-Identifier: BSD-3-Clause
"""A stitched core with its control registers: what a board with a processor gets, as one Verilog module.

Vivado places a module into a block design by reference only if its file is plain Verilog; what lies below
may be SystemVerilog. The registers hold the core's build identifier, so they are outside what it hashes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.files import write_atomically
from finn_flirnn.rtl import register_sources

AXI_LITE = "s_axi_control"
ADDRESS_BITS = 12
BUILD_DIGITS = 16
LOAD_STREAM = "load_V"

BUS = (
    ("AWADDR", "awaddr", "input", ADDRESS_BITS),
    ("AWPROT", "", "input", 3),
    ("AWVALID", "awvalid", "input", 1),
    ("AWREADY", "awready", "output", 1),
    ("WDATA", "wdata", "input", 32),
    ("WSTRB", "wstrb", "input", 4),
    ("WVALID", "wvalid", "input", 1),
    ("WREADY", "wready", "output", 1),
    ("BRESP", "bresp", "output", 2),
    ("BVALID", "bvalid", "output", 1),
    ("BREADY", "bready", "input", 1),
    ("ARADDR", "araddr", "input", ADDRESS_BITS),
    ("ARPROT", "", "input", 3),
    ("ARVALID", "arvalid", "input", 1),
    ("ARREADY", "arready", "output", 1),
    ("RDATA", "rdata", "output", 32),
    ("RRESP", "rresp", "output", 2),
    ("RVALID", "rvalid", "output", 1),
    ("RREADY", "rready", "input", 1),
)
"""Signals of the slave: name, port of control_registers (none for the protection bits), direction, bits."""

_TOP = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $core with its control registers (docs/registers.md), build $build.
module $name (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 ap_clk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF $busses, ASSOCIATED_RESET ap_rst_n" *)
    input  wire ap_clk,
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire ap_rst_n,
$ports
);
  wire in_last, out_last, load_valid, load_ready, load_restart, ${more}unused;
  wire [31:0] load_data, load_status, weights_id;

  // a group counts when its last transfer has gone through
  round_counter #(.COUNT($transfers_in)) u_in (
      .clk(ap_clk), .rst_n(ap_rst_n), .advance(${source}_TVALID && ${source}_TREADY), .last(in_last)
  );
  round_counter #(.COUNT($transfers_out)) u_out (
      .clk(ap_clk), .rst_n(ap_rst_n), .advance(${sink}_TVALID && ${sink}_TREADY), .last(out_last)
  );
  control_registers #(.LOADS($loads)) u_registers (
      .clk(ap_clk), .rst_n(ap_rst_n), .build(64'h$build),
$bus
      .taken(${source}_TVALID && ${source}_TREADY && in_last),
      .given(${sink}_TVALID && ${sink}_TREADY && out_last),
      .odat(load_data), .ovld(load_valid), .ordy(load_ready),
      .load_restart(load_restart), .load_status(load_status), .weights_id(weights_id)
  );
  $core u_core (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
$connections
  );
$rest
  assign unused = &{1'b0, $left_over};
endmodule
"""

_LOADED = """      .load_V_TDATA(load_data), .load_V_TVALID(load_valid), .load_V_TREADY(load_ready),
      .load_restart(load_restart), .load_status(load_status), .weights_id(weights_id)"""
_NOT_LOADED = """  assign load_ready = 1'b0;
  assign load_status = 32'd0;
  assign weights_id = 32'd0;"""


def emit_accelerator(
    core: RtlModule,
    directory: Path,
    name: str,
    build_id: str,
    group_transfers: tuple[int, int],
    *,
    ends: bool = False,
) -> RtlModule:
    """Write the module ``name``: a core of one input and one output stream, and its registers.

    build_id: of the core, 16 hexadecimal digits. group_transfers: transfers of a group on its input and on
    its output. ends: keep a core's TLAST; else it is left out, for FINN's shell has none: its groups are
    always whole.
    The result has the streams of the core; the slave's inputs are its ``idle`` ones.
    Raises ValueError for a core with other streams, or if the arguments do not fit.
    """
    if len(core.inputs) != 1 or len(core.outputs) != 1:
        raise ValueError(f"{core.top} must have one input and one output stream; stitch the whole network")
    if len(build_id) != BUILD_DIGITS or set(build_id) - set("0123456789abcdef"):
        raise ValueError(f"build_id={build_id!r} must have {BUILD_DIGITS} hexadecimal digits; hash the core")
    if min(group_transfers) < 1:
        raise ValueError(f"group_transfers={group_transfers} must be positive; give those of a whole group")
    (source,), (sink,) = core.inputs, core.outputs
    loads = f"{LOAD_STREAM}_TDATA" in core.idle
    if ends:
        given, come, dropped = f"{source.name}_TLAST", f"{sink.name}_TLAST", False
    else:
        given, come, dropped = "1'b0", "core_last", sink.last
        source, sink = replace(source, last=False), replace(sink, last=False)
    connections = [_connections(core.inputs[0], given), _connections(core.outputs[0], come)]
    left_over = [f"{AXI_LITE}_AWPROT", f"{AXI_LITE}_ARPROT"]
    left_over += ["core_last"] if dropped else []
    left_over += [] if loads else ["load_data", "load_valid", "load_restart"]
    text = render(
        _TOP,
        name=name,
        core=core.top,
        build=build_id,
        busses=":".join((AXI_LITE, source.name, sink.name)),
        ports=",\n".join((_ports(source, "input"), _ports(sink, "output"), bus_ports())),
        source=source.name,
        sink=sink.name,
        transfers_in=group_transfers[0],
        transfers_out=group_transfers[1],
        loads=f"1'b{int(loads)}",
        bus="\n".join(f"      .{port}({AXI_LITE}_{signal})," for signal, port, _, _ in BUS if port),
        connections=",\n".join([*connections, *([_LOADED] if loads else [])]),
        more="core_last, " if dropped else "",
        rest="" if loads else _NOT_LOADED,
        left_over=", ".join(left_over),
    )
    top = write_atomically(directory / f"{name}.v", text)
    # the core's sources may lie elsewhere than this directory
    files = [(core.directory / path).resolve() for path in core.sources]
    data = tuple((core.directory / path).resolve() for path in core.data)
    idle = tuple(f"{AXI_LITE}_{signal}" for signal, _, direction, _ in BUS if direction == "input")
    return RtlModule(name, directory, (*files, *register_sources(), top), data, (source,), (sink,), idle)


def _ports(port: StreamPort, direction: str) -> str:
    other = "output" if direction == "input" else "input"
    last = f"    {direction:6} wire {port.name}_TLAST,\n" if port.last else ""
    return (
        f"    {direction:6} wire [{port.padded_bits - 1}:0] {port.name}_TDATA,\n{last}"
        f"    {direction:6} wire {port.name}_TVALID,\n"
        f"    {other:6} wire {port.name}_TREADY"
    )


def bus_ports() -> str:
    """Declarations of the slave's ports."""
    widths = {bits: f"[{bits - 1}:0] " if bits > 1 else "" for *_, bits in BUS}
    return ",\n".join(
        f"    {direction:6} wire {widths[bits]}{AXI_LITE}_{signal}" for signal, _, direction, bits in BUS
    )


def _connections(port: StreamPort, last: str) -> str:
    signals = [f".{port.name}_{part}({port.name}_{part})" for part in ("TDATA", "TVALID", "TREADY")]
    return "      " + ", ".join([*signals, *([f".{port.name}_TLAST({last})"] if port.last else [])])
