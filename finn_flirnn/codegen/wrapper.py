# SPDX-License-Identifier: BSD-3-Clause
"""The wrapper around an engine: AXI-Stream ports, parameters, memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.rom import BankedRom, Rom
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.files import write_atomically
from finn_flirnn.rtl import library_sources

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

    prefix: the engine's ports are ``<prefix>_addr`` and ``<prefix>_dat``.
    """

    prefix: str
    rom: Rom | BankedRom
    copies: int = 1


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
            instances.append(f"  {rom.name} u_{prefix}_{i} (.clk(ap_clk), .addr({address}), .dat({data}));")
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
    sources = [
        write_atomically(directory / f"{memory.rom.name}.sv", memory.rom.source()) for memory in memories
    ]
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
    )
