# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator between models of the DMAs of FINN's Zynq shell, for simulation: memory words in and out."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, lcm
from pathlib import Path

from finn_flirnn.codegen.accelerator import AXI_LITE, BUS, bus_ports
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.codegen.wrapper import stream_ports
from finn_flirnn.common.files import write_atomically
from finn_flirnn.numerics import Format
from finn_flirnn.rtl import shell_sources

WIDEST_PORT = 128
"""Bits of a memory port of FINN's shell on Zynq UltraScale+ (pynq_native_port_width of finn.util.basic)."""
READ, WRITE = "read_V", "write_V"
SEND, RECEIVE = "send_V", "receive_V"
STATUS, SURPLUS = "status_V", "surplus_V"

_BENCH = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $accelerator between models of FINN's DMAs. As FINN's driver starts the output DMA first, the
// input DMA takes no command before it.
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports,
$bus
);
  logic [$in_high:0] in_dat;
  logic [$out_high:0] out_dat;
  logic in_last, in_vld, in_rdy, out_last, out_vld, out_rdy, send_rdy, active, unused;

  dma_read #(.MEMORY($in_memory), .STREAM($in_stream), .JOINT($in_joint)) u_read (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .cdat(${send}_TDATA), .cvld(${send}_TVALID && active), .crdy(send_rdy),
      .idat(${read}_TDATA), .ivld(${read}_TVALID), .irdy(${read}_TREADY),
      .odat(in_dat), .olast(in_last), .ovld(in_vld), .ordy(in_rdy)
  );
  assign ${send}_TREADY = send_rdy && active;
  $accelerator u_accelerator (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
      .${source}_TDATA(in_dat), ${source_last}.${source}_TVALID(in_vld), .${source}_TREADY(in_rdy),
      .${sink}_TDATA(out_dat), ${sink_last}.${sink}_TVALID(out_vld), .${sink}_TREADY(out_rdy),
$connections
  );
  dma_write #(
      .MEMORY($out_memory), .STREAM($out_stream), .JOINT($out_joint), .ENDS($ends)
  ) u_write (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .cdat(${receive}_TDATA), .cvld(${receive}_TVALID), .crdy(${receive}_TREADY),
      .idat(out_dat), .ilast(out_last), .ivld(out_vld), .irdy(out_rdy),
      .odat(${write}_TDATA), .ovld(${write}_TVALID), .ordy(${write}_TREADY),
      .sdat(${status}_TDATA), .svld(${status}_TVALID), .srdy(${status}_TREADY),
      .active(active), .surplus(${surplus}_TVALID)
  );
  assign ${surplus}_TDATA = 8'd0;
$rest  assign unused = &{1'b0, in_last, ${surplus}_TREADY};
endmodule
"""

_BYTE = Format(8, 0, signed=False)


def memory_bits(unit_bits: int) -> int:
    """Width of a DMA's memory port, as FINN's InsertIODMA chooses it for a group of ``unit_bits``.

    On Zynq-7000 FINN takes 64 bits at most; bytes and their order are the same.

    >>> memory_bits(135 * 4 * 8), memory_bits(64 * 24)
    (32, 64)
    """
    return gcd(unit_bits, WIDEST_PORT)


def emit_amd_system(
    accelerator: RtlModule, directory: Path, name: str, unit_bytes: tuple[int, int]
) -> RtlModule:
    """Write the module ``name``: an accelerator (codegen/accelerator.py) between two DMAs.

    unit_bytes: of the least that is transferred, in and out: a group, or a pixel if a group may end early.
    Streams of the result: ``read_V`` and ``write_V``, the memory's words as bytes; ``send_V`` and
    ``receive_V``, how many transfers of the accelerator's streams go and come; ``status_V``, see
    rtl/dma_write.sv; ``surplus_V``, which must stay empty. Its ``idle`` inputs are the register slave's.
    """
    (source,), (sink,) = accelerator.inputs, accelerator.outputs
    in_memory, out_memory = (memory_bits(8 * size) for size in unit_bytes)
    inputs = (_bytes(READ, in_memory), _bytes(SEND, 32), _bytes(RECEIVE, 32))
    outputs = (_bytes(WRITE, out_memory), _bytes(STATUS, 32), _bytes(SURPLUS, 8))
    ports = [stream_ports(port, "input") for port in inputs]
    ports += [stream_ports(port, "output") for port in outputs]
    text = render(
        _BENCH,
        name=name,
        accelerator=accelerator.top,
        ports=",\n".join(ports),
        bus=bus_ports(),
        connections=",\n".join(f"      .{AXI_LITE}_{signal}({AXI_LITE}_{signal})" for signal, *_ in BUS),
        source=source.name,
        sink=sink.name,
        source_last=f".{source.name}_TLAST(in_last), " if source.last else "",
        sink_last=f".{sink.name}_TLAST(out_last), " if sink.last else "",
        ends=f"1'b{int(sink.last)}",
        rest="" if sink.last else "  assign out_last = 1'b0;\n",
        in_high=source.padded_bits - 1,
        out_high=sink.padded_bits - 1,
        in_stream=source.padded_bits,
        out_stream=sink.padded_bits,
        in_memory=in_memory,
        out_memory=out_memory,
        in_joint=lcm(in_memory, source.padded_bits),
        out_joint=lcm(out_memory, sink.padded_bits),
        read=READ,
        write=WRITE,
        send=SEND,
        receive=RECEIVE,
        status=STATUS,
        surplus=SURPLUS,
    )
    top = write_atomically(directory / f"{name}.sv", text)
    there = {path.name for path in accelerator.sources}  # a build has copies of the library's files
    shell = [path for path in shell_sources() if path.name not in there]
    sources = (*accelerator.sources, *shell, top)
    return replace(accelerator, top=name, sources=sources, inputs=inputs, outputs=outputs)


def _bytes(name: str, bits: int) -> StreamPort:
    return StreamPort(name, bits // 8, _BYTE)
