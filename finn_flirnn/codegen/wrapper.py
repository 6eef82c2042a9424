# SPDX-License-Identifier: BSD-3-Clause
"""The wrapper around an engine: AXI-Stream ports, parameters, memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.ram import ram_banks, ram_source, widest
from finn_flirnn.codegen.rom import BankedRom, Rom, address_bits
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.files import write_atomically
from finn_flirnn.rtl import library_sources, loader_sources

_WRAPPER = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $description
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports
);
$declarations
  $engine #(
$parameters
  ) u_engine (
      .clk(ap_clk), .rst_n(ap_rst_n),
$connections
  );
$memories
endmodule
"""


@dataclass(frozen=True)
class MemoryPort:
    """A memory port of an engine: ``copies`` memories of the same content, side by side.

    prefix: the engine's ports are ``<prefix>_addr`` and ``<prefix>_dat``. writable: at run time, over the
    wrapper's load ports.
    """

    prefix: str
    rom: Rom | BankedRom
    copies: int = 1
    writable: bool = False

    def source(self) -> str:
        """The memory's module."""
        return ram_source(self.rom) if self.writable else self.rom.source()


LOAD_INPUTS = {"load_restart": 1, "load_turn": 1, "load_dat": 32, "load_vld": 1, "load_set": 1}
"""Ports of a module with writable memories, see rtl/weight_port.sv: at 0 it works with its built-in set."""
LOAD_DONE = "load_done"
"""Its output: all its memories are written."""

_PORT = """  logic [$last_bank:0] ${prefix}_wen;
  logic [$address_high:0] ${prefix}_waddr;
  logic [$widest_high:0] ${prefix}_wdat;
  logic ${prefix}_done;
  weight_port #(.BANKS($banks), .DEPTH($depth), .WIDTH($widest)) u_${prefix}_port (
      .clk(ap_clk), .restart(restart_q), .turn($turn), .idat(dat_q), .ivld(vld_q),
      .done(${prefix}_done), .wen(${prefix}_wen), .waddr(${prefix}_waddr), .wdat(${prefix}_wdat)
  );"""

_LOAD_REGISTERS = """  // the bus of words is registered in every layer
  logic restart_q, turn_q, vld_q, set_q;
  logic [31:0] dat_q;
  always_ff @(posedge ap_clk) begin
    restart_q <= load_restart;
    turn_q <= load_turn;
    vld_q <= load_vld;
    set_q <= load_set;
    dat_q <= load_dat;
  end"""


def load_ports() -> list[str]:
    """Declarations of the load ports of a module with writable memories."""
    wide = {name: f"[{bits - 1}:0] " if bits > 1 else "" for name, bits in LOAD_INPUTS.items()}
    inputs = [f"    input  logic {wide[name]}{name}" for name in LOAD_INPUTS]
    return [*inputs, f"    output logic {LOAD_DONE}"]


def _weight_ports(memories: Sequence[MemoryPort]) -> list[str]:
    """The ports that write the memories, in a row."""
    text, turn = [_LOAD_REGISTERS], "turn_q"
    for memory in memories:
        banks = ram_banks(memory.rom)
        depth = len(banks[0].words)
        text.append(
            render(
                _PORT,
                prefix=memory.prefix,
                banks=len(banks),
                last_bank=len(banks) - 1,
                depth=depth,
                address_high=address_bits(depth) - 1,
                widest=widest(memory.rom),
                widest_high=widest(memory.rom) - 1,
                turn=turn,
            )
        )
        turn = f"{memory.prefix}_done"
    return [*text, f"  assign {LOAD_DONE} = {turn};"]


def stream_ports(port: StreamPort, direction: str) -> str:
    """Declarations of a wrapper's AXI-Stream ports."""
    other = "output" if direction == "input" else "input"
    width = f"[{port.padded_bits - 1}:0]"
    last = f"    {direction:6} logic {port.name}_TLAST,\n" if port.last else ""
    return (
        f"    {direction:6} logic {width} {port.name}_TDATA,\n{last}"
        f"    {direction:6} logic {port.name}_TVALID,\n"
        f"    {other:6} logic {port.name}_TREADY"
    )


def write_module(
    directory: Path,
    name: str,
    description: str,
    engine: str,
    parameters: Mapping[str, int],
    inputs: Sequence[tuple[StreamPort, str]],
    outputs: Sequence[tuple[StreamPort, str]],
    unused_inputs: Sequence[tuple[str, int]],
    memories: Sequence[MemoryPort],
    multiplier: Multiplier,
) -> RtlModule:
    """Write the wrapper and its memories into ``directory``; ``multiplier`` chooses the library's dsp_mac.

    inputs, outputs: wrapper port and the engine's prefix (``<prefix>_dat``, ``_vld``, ``_rdy``).
    unused_inputs: prefix and width of engine inputs that the layer does not have.
    """
    declarations: list[str] = []
    connections: list[str] = []
    instances: list[str] = []
    unused: list[str] = []
    for port, prefix in inputs:
        connections.append(
            f"      .{prefix}_dat({port.name}_TDATA[{port.bits - 1}:0]), "
            f".{prefix}_vld({port.name}_TVALID), .{prefix}_rdy({port.name}_TREADY),"
        )
        if port.padded_bits > port.bits:
            unused.append(f"{port.name}_TDATA[{port.padded_bits - 1}:{port.bits}]")
    for prefix, width in unused_inputs:
        declarations.append(f"  logic {prefix}_rdy;")
        connections.append(
            f"      .{prefix}_dat({width}'h0), .{prefix}_vld(1'b0), .{prefix}_rdy({prefix}_rdy),"
        )
        unused.append(f"{prefix}_rdy")
    for memory in memories:
        rom, prefix, copies = memory.rom, memory.prefix, memory.copies
        declarations.append(f"  logic [{copies * rom.address_width - 1}:0] {prefix}_addr;")
        declarations.append(f"  logic [{copies * rom.width - 1}:0] {prefix}_dat;")
        connections.append(f"      .{prefix}_addr({prefix}_addr), .{prefix}_dat({prefix}_dat),")
        for i in range(copies):
            address = f"{prefix}_addr[{(i + 1) * rom.address_width - 1}:{i * rom.address_width}]"
            data = f"{prefix}_dat[{(i + 1) * rom.width - 1}:{i * rom.width}]"
            write = f", .set(set_q), .wen({prefix}_wen), .waddr({prefix}_waddr), .wdat({prefix}_wdat)"
            instances.append(
                f"  {rom.name} u_{prefix}_{i} (.clk(ap_clk), .addr({address}), .dat({data})"
                f"{write if memory.writable else ''});"
            )
    for port, _ in outputs:
        data = f"{port.name}_bits"
        declarations.append(f"  logic [{port.bits - 1}:0] {data};")
        padding = port.padded_bits - port.bits
        instances.append(
            f"  assign {port.name}_TDATA = " + (f"{{{padding}'h0, {data}}};" if padding else f"{data};")
        )
        connections.append(f"      .odat({data}), .ovld({port.name}_TVALID), .ordy({port.name}_TREADY)")
    if unused:
        declarations.append("  logic unused;")
        instances.append(f"  assign unused = &{{1'b0, {', '.join(unused)}}};")

    ports = [stream_ports(p, "input") for p, _ in inputs] + [stream_ports(p, "output") for p, _ in outputs]
    sources = [write_atomically(directory / f"{memory.rom.name}.sv", memory.source()) for memory in memories]
    writable = [memory for memory in memories if memory.writable]
    if writable:
        ports += load_ports()
        instances = _weight_ports(writable) + instances
        sources = [*loader_sources(), *sources]
    wrapper = render(
        _WRAPPER,
        description=description,
        name=name,
        engine=engine,
        ports=",\n".join(ports),
        declarations="\n".join(declarations),
        parameters=",\n".join(f"      .{key}({value})" for key, value in parameters.items()),
        connections="\n".join(connections),
        memories="\n".join(instances),
    )
    sources.append(write_atomically(directory / f"{name}.sv", wrapper))
    return RtlModule(
        top=name,
        directory=directory,
        sources=(*library_sources(multiplier.variant), *sources),
        data=(),
        inputs=tuple(p for p, _ in inputs),
        outputs=tuple(p for p, _ in outputs),
        idle=tuple(LOAD_INPUTS) if writable else (),
    )
