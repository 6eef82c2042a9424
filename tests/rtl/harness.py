# SPDX-License-Identifier: BSD-3-Clause
"""Library modules behind AXI-Stream names, so that each can be simulated by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from finn_flirnn.codegen import Multiplier, RtlModule, StreamPort
from finn_flirnn.codegen.rom import BankedRom, Rom
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.rtl import library_sources
from finn_flirnn.sim import VerilatedModel, build_model, simulate

Stalls = float | Mapping[str, float]

STALLS: tuple[Stalls, ...] = (0.0, 0.5, {"in0_V": 0.9, "out0_V": 0.1}, {"in0_V": 0.1, "out0_V": 0.9})
"""No stall; both sides; a slow source; a slow sink."""


def raw(bits: int) -> Format:
    """Unsigned words of so many bits."""
    return Format(bits, 0, signed=False)


def bench(
    directory: Path,
    name: str,
    inputs: Sequence[StreamPort],
    outputs: Sequence[StreamPort],
    body: str,
    memory: Rom | BankedRom | None = None,
    multiplier: Multiplier = Multiplier.DSP48E2,
    more: Sequence[Path] = (),
) -> RtlModule:
    """A test bench of that name around ``body``, which sees each port's codes as ``<port>_dat``.

    memory: one that the body instantiates. multiplier: the one that ``dsp_mac`` stands for. more: sources
    beside the library's.
    """
    ports, lines = [], []
    for direction, other, streams in (("input", "output", inputs), ("output", "input", outputs)):
        for port in streams:
            ports += [
                f"    {direction} logic [{port.padded_bits - 1}:0] {port.name}_TDATA",
                f"    {direction} logic {port.name}_TVALID",
                f"    {other} logic {port.name}_TREADY",
            ]
            if port.last:
                ports.append(f"    {direction} logic {port.name}_TLAST")
            lines.append(f"  logic [{port.bits - 1}:0] {port.name}_dat;")
    lines += [f"  assign {port.name}_dat = {port.name}_TDATA[{port.bits - 1}:0];" for port in inputs]
    for port in outputs:
        padding = port.padded_bits - port.bits
        zeros = f"{padding}'h0, " if padding else ""
        lines.append(f"  assign {port.name}_TDATA = {{{zeros}{port.name}_dat}};")
    seen = ", ".join(["ap_clk", "ap_rst_n", *(f"{port.name}_TDATA" for port in inputs)])
    text = "\n".join(
        [
            f"module {name} (\n    input logic ap_clk,\n    input logic ap_rst_n,",
            ",\n".join(ports) + "\n);",
            *lines,
            f"  logic unused;\n  assign unused = &{{1'b0, {seen}}};",
            body,
            "endmodule\n",
        ]
    )
    sources = [*library_sources(multiplier.variant), *more]
    if memory:
        sources.append(directory / f"{memory.name}.sv")
        sources[-1].write_text(memory.source())
    sources.append(directory / f"{name}.sv")
    sources[-1].write_text(text)
    return RtlModule(name, directory, tuple(sources), (), tuple(inputs), tuple(outputs))


def wrap(
    directory: Path,
    name: str,
    inputs: Sequence[StreamPort],
    outputs: Sequence[StreamPort],
    body: str,
    memory: Rom | BankedRom | None = None,
    more: Sequence[Path] = (),
) -> VerilatedModel:
    """A test bench as ``bench`` writes it, compiled."""
    return build_model(bench(directory, name, inputs, outputs, body, memory, more=more))


def settings(parameters: Mapping[str, int]) -> str:
    """Parameters of an instance."""
    return ", ".join(f".{key}({value})" for key, value in parameters.items())


def stream_model(
    directory: Path, module: str, parameters: Mapping[str, int], source: StreamPort, target: StreamPort
) -> VerilatedModel:
    """A library module with the handshake idat/ivld/irdy -> odat/ovld/ordy."""
    body = f"""  {module} #({settings(parameters)}) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    return wrap(directory, f"t_{module}", [source], [target], body)


def pipeline_model(
    directory: Path,
    module: str,
    parameters: Mapping[str, int],
    ports: Sequence[tuple[str, int]],
    target: StreamPort,
    latency: int,
) -> VerilatedModel:
    """A library module without handshake, of fixed latency. ports: its inputs and their bits, in order."""
    connections, low = [], 0
    for port, bits in ports:
        connections.append(f".{port}(in0_V_dat[{low + bits - 1}:{low}])")
        low += bits
    body = f"""  logic enter, enough;
  logic [{target.bits - 1}:0] result;
  assign in0_V_TREADY = enough;
  assign enter = in0_V_TVALID && enough;
  {module} #({settings(parameters)}) u_it (.clk(ap_clk), {", ".join(connections)}, .odat(result));
  pipeline_out #(.WIDTH({target.bits}), .LATENCY({latency})) u_out (
      .clk(ap_clk), .rst_n(ap_rst_n), .enter(enter), .enough(enough), .idat(result),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    return wrap(directory, f"t_{module}", [StreamPort("in0_V", low, raw(1))], [target], body)


def fields(columns: Sequence[tuple[Codes, int]]) -> Codes:
    """Columns of codes side by side, the first least significant, as single bits: (N, total bits)."""
    return np.concatenate(
        [(np.asarray(codes)[:, None] >> np.arange(bits)) & 1 for codes, bits in columns], axis=1
    )


def run(model: VerilatedModel, data: Codes, transfers: int, stalls: Stalls = 0.0, seed: int = 1) -> Codes:
    """One input stream in, one output stream out."""
    return simulate(model, {"in0_V": data}, {"out0_V": transfers}, stalls=stalls, seed=seed).outputs["out0_V"]
