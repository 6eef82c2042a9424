# SPDX-License-Identifier: BSD-3-Clause
"""Pixel order to group order in hardware, and back: rtl/lane_gather.sv and rtl/lane_scatter.sv."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from finn_flirnn.codegen.estimate import clog2, fifo_resources, memory_resources
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort, check_divides
from finn_flirnn.codegen.wrapper import stream_ports
from finn_flirnn.common.files import write_atomically
from finn_flirnn.numerics import Format
from finn_flirnn.rtl import library_sources

LIVE_DEPTH = 16
"""Groups that may be between the two transposers: two in each buffer, the rest in the engines and FIFOs."""

_WRAPPER = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $description
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports
);
$declarations
  $engine #(.WIDTH($width), .LANES($lanes), .STEPS($steps), .BURST($burst)) u_engine (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .idat(in0_V_TDATA[$high:0]), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .odat(data), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY),
$connections
  );
endmodule
"""


class Direction(StrEnum):
    """Which order becomes which."""

    GATHER = "gather"
    """Pixels (C, T, F) become groups (T, C, F)."""
    SCATTER = "scatter"
    """Groups become pixels."""


@dataclass(frozen=True)
class Transposer:
    """Everything there is to know of a transposer.

    steps T, lanes C, features F of a pixel's step; elements: codes of ``format`` a transfer (divides F).
    partial: the stream of pixels has TLAST and may end within a group; then the gatherer has a second
    output, ``live``, that goes to a second input of the scatterer.
    """

    direction: Direction
    steps: int
    lanes: int
    features: int
    elements: int
    format: Format
    partial: bool = False

    def __post_init__(self) -> None:
        check_divides(self.elements, "elements", self.features, "features")
        for name in ("steps", "lanes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")

    @property
    def cycles(self) -> int:
        """Cycles a group: one a transfer."""
        return self.steps * self.lanes * self.features // self.elements

    @property
    def live_format(self) -> Format:
        """The stream ``live``: lanes of a group less one, and above them the end of a transfer."""
        return Format(max(1, clog2(self.lanes)) + 1, 0, signed=False)


def transposer_resources(transposer: Transposer) -> Resources:
    """Estimated resources: a memory for two groups, addresses, a FIFO at the output."""
    width, words = transposer.elements * transposer.format.bits, 2 * transposer.cycles
    address = clog2(words)
    gather = transposer.direction is Direction.GATHER
    counters = clog2(transposer.lanes) + clog2(transposer.steps) + clog2(transposer.cycles)
    output = width if gather else width + 1
    return (
        memory_resources(width, words)
        + Resources(lut=3 * address + counters + 14, ff=3 * address + counters + 20)
        + fifo_resources(output, 6)
        + Resources(lut=10, ff=10)
    )


def emit_transposer(
    transposer: Transposer, directory: Path, name: str, multiplier: Multiplier = Multiplier.DSP48E2
) -> RtlModule:
    """Write the hardware of a transposer into ``directory`` as module ``name``.

    multiplier: of the device; a transposer has none, but one design has one variant of the library.
    Streams: in0_V and out0_V; with ``partial`` also ``out1_V`` of a gatherer, ``in1_V`` of a scatterer.
    """
    gather, partial = transposer.direction is Direction.GATHER, transposer.partial
    data = StreamPort("in0_V", transposer.elements, transposer.format, last=gather and partial)
    result = StreamPort("out0_V", transposer.elements, transposer.format, last=not gather and partial)
    live = StreamPort("out1_V" if gather else "in1_V", 1, transposer.live_format)
    inputs = (data,) if gather or not partial else (data, live)
    outputs = (result,) if not gather or not partial else (result, live)
    lines, connections, unused = _live(transposer, live)
    padding = data.padded_bits - data.bits
    lines += [
        f"  logic [{data.bits - 1}:0] data;",
        "  assign out0_V_TDATA = " + (f"{{{padding}'h0, data}};" if padding else "data;"),
    ]
    if padding:
        unused.append(f"in0_V_TDATA[{data.padded_bits - 1}:{data.bits}]")
    if unused:
        lines += ["  logic unused;", f"  assign unused = &{{1'b0, {', '.join(unused)}}};"]
    text = render(
        _WRAPPER,
        description=f"{transposer.direction} {transposer.lanes} lanes of {transposer.steps} steps",
        name=name,
        ports=",\n".join(
            [stream_ports(p, "input") for p in inputs] + [stream_ports(p, "output") for p in outputs]
        ),
        declarations="\n".join(lines),
        engine=f"lane_{transposer.direction}",
        width=data.bits,
        high=data.bits - 1,
        lanes=transposer.lanes,
        steps=transposer.steps,
        burst=transposer.features // transposer.elements,
        connections=connections,
    )
    path = write_atomically(directory / f"{name}.sv", text)
    return RtlModule(name, directory, (*library_sources(multiplier.variant), path), (), inputs, outputs)


def _live(transposer: Transposer, port: StreamPort) -> tuple[list[str], str, list[str]]:
    """TLAST and the stream of live lanes: declarations, connections, signals that nothing reads."""
    bits = port.bits
    if transposer.direction is Direction.GATHER:
        if not transposer.partial:
            return (
                [f"  logic [{bits - 1}:0] live;", "  logic live_vld;"],
                "      .ilast(1'b0), .live_dat(live), .live_vld(live_vld), .live_rdy(1'b1)",
                ["live", "live_vld"],
            )
        return (
            [f"  logic [{bits - 1}:0] live;", f"  assign out1_V_TDATA = {port.padded_bits}'(live);"],
            "      .ilast(in0_V_TLAST), .live_dat(live), .live_vld(out1_V_TVALID), .live_rdy(out1_V_TREADY)",
            [],
        )
    if not transposer.partial:
        return (
            ["  logic last, live_rdy;"],
            f"      .olast(last), .live_dat({bits}'d{transposer.lanes - 1}), .live_vld(1'b1), "
            ".live_rdy(live_rdy)",
            ["last", "live_rdy"],
        )
    return (
        [],
        f"      .olast(out0_V_TLAST), .live_dat(in1_V_TDATA[{bits - 1}:0]),\n"
        "      .live_vld(in1_V_TVALID), .live_rdy(in1_V_TREADY)",
        [f"in1_V_TDATA[{port.padded_bits - 1}:{bits}]"] if port.padded_bits > bits else [],
    )
