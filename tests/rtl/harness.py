# SPDX-License-Identifier: BSD-3-Clause
"""Library modules behind AXI-Stream names, so that each can be simulated by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.rtl import library_sources
from finn_flirnn.sim import VerilatedModel, build_model, simulate

Stalls = float | Mapping[str, float]

STALLS: tuple[Stalls, ...] = (0.0, 0.5, {"in0_V": 0.9, "out0_V": 0.1}, {"in0_V": 0.1, "out0_V": 0.9})
"""No stall; both sides; a slow source; a slow sink."""


def raw(bits: int) -> Format:
    """Unsigned words of so many bits."""
    return Format(bits, 0, signed=False)


def _wrap(directory: Path, name: str, source: StreamPort, target: StreamPort, body: str) -> VerilatedModel:
    def data(port: StreamPort) -> str:
        return f"logic [{port.padded_bits - 1}:0] {port.name}_TDATA"

    padding = target.padded_bits - target.bits
    text = f"""module {name} (
    input logic ap_clk, input logic ap_rst_n,
    input {data(source)}, input logic in0_V_TVALID, output logic in0_V_TREADY,
    output {data(target)}, output logic out0_V_TVALID, input logic out0_V_TREADY
);
  logic [{source.bits - 1}:0] idat;
  logic [{target.bits - 1}:0] odat;
  logic unused;
  assign idat = in0_V_TDATA[{source.bits - 1}:0];
  assign out0_V_TDATA = {{{f"{padding}'h0, " if padding else ""}odat}};
  assign unused = &{{1'b0, in0_V_TDATA, ap_clk, ap_rst_n}};
{body}
endmodule
"""
    path = directory / f"{name}.sv"
    path.write_text(text)
    module = RtlModule(name, directory, (*library_sources(), path), (), (source,), (target,))
    return build_model(module)


def _settings(parameters: Mapping[str, int]) -> str:
    return ", ".join(f".{key}({value})" for key, value in parameters.items())


def stream_model(
    directory: Path, module: str, parameters: Mapping[str, int], source: StreamPort, target: StreamPort
) -> VerilatedModel:
    """A library module with the handshake idat/ivld/irdy -> odat/ovld/ordy."""
    body = f"""  {module} #({_settings(parameters)}) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(idat), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .odat(odat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    return _wrap(directory, f"t_{module}", source, target, body)


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
        connections.append(f".{port}(idat[{low + bits - 1}:{low}])")
        low += bits
    body = f"""  logic enter, enough;
  logic [{target.bits - 1}:0] result;
  assign in0_V_TREADY = enough;
  assign enter = in0_V_TVALID && enough;
  {module} #({_settings(parameters)}) u_it (.clk(ap_clk), {", ".join(connections)}, .odat(result));
  pipeline_out #(.WIDTH({target.bits}), .LATENCY({latency})) u_out (
      .clk(ap_clk), .rst_n(ap_rst_n), .enter(enter), .enough(enough), .idat(result),
      .odat(odat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    return _wrap(directory, f"t_{module}", StreamPort("in0_V", low, raw(1)), target, body)


def fields(columns: Sequence[tuple[Codes, int]]) -> Codes:
    """Columns of codes side by side, the first least significant, as single bits: (N, total bits)."""
    return np.concatenate(
        [(np.asarray(codes)[:, None] >> np.arange(bits)) & 1 for codes, bits in columns], axis=1
    )


def run(model: VerilatedModel, data: Codes, transfers: int, stalls: Stalls = 0.0, seed: int = 1) -> Codes:
    """One input stream in, one output stream out."""
    return simulate(model, {"in0_V": data}, {"out0_V": transfers}, stalls=stalls, seed=seed).outputs["out0_V"]
