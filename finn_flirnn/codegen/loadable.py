# SPDX-License-Identifier: BSD-3-Clause
"""The top of a design with run-time weights: loader and gate around the stitched layers (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.codegen.weight_image import WeightSet, encode_image, header, image_identifier
from finn_flirnn.codegen.wrapper import stream_ports
from finn_flirnn.common.files import write_atomically
from finn_flirnn.numerics import Format

LOAD_STREAM = StreamPort("load_V", 1, Format(32, 0, signed=False))
"""The stream of the weight image, words of 32 bits."""
RESTART = "load_restart"
STATUS = "load_status"
IDENTIFIER = "weights_id"

_TOP = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $core with weights that can be loaded.
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports,
    input  logic $restart,
    output logic [31:0] $status,
    output logic [31:0] $identifier
);
  logic to_vld, to_rdy, close, drained;
  logic [31:0] dat;
  logic vld, first, set;
  logic done, unused;
  weight_loader #(
      .WORDS($words), .HEADER($header), .BUILT_IN($built_in)
  ) u_loader (
      .clk(ap_clk), .rst_n(ap_rst_n), .restart($restart),
      .idat(load_V_TDATA), .ivld(load_V_TVALID), .irdy(load_V_TREADY),
      .load_dat(dat), .load_vld(vld), .load_restart(first), .set(set),
      .close(close), .drained(drained), .status($status), .weights_id($identifier)
  );
  weight_gate #(
      .IN_COUNT($in_count), .OUT_COUNT($out_count)
  ) u_gate (
      .clk(ap_clk), .rst_n(ap_rst_n), .close(close), .drained(drained),
      .ivld(${source}_TVALID), .ilast($in_last), .irdy(${source}_TREADY),
      .ovld(to_vld), .ordy(to_rdy),
      .mvld(${sink}_TVALID), .mrdy(${sink}_TREADY), .mlast($out_last)
  );
  $core u_core (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
      .${source}_TDATA(${source}_TDATA), .${source}_TVALID(to_vld), .${source}_TREADY(to_rdy),
      .${sink}_TDATA(${sink}_TDATA), .${sink}_TVALID(${sink}_TVALID), .${sink}_TREADY(${sink}_TREADY),$lasts
      .load_restart(first), .load_turn(1'b1), .load_dat(dat), .load_vld(vld), .load_set(set),
      .load_done(done)
  );
  assign unused = &{1'b0, done};
endmodule
"""


def emit_loadable(
    core: RtlModule, directory: Path, name: str, sets: Sequence[WeightSet], counts: tuple[int, int]
) -> RtlModule:
    """Write the module ``name``: a stitched core with load ports behind loader and gate.

    sets: of the core's modules, in the order in which they take the image. counts: transfers of a group
    at input and output. Raises ValueError unless the core has one input and one output stream.
    """
    if len(core.inputs) != 1 or len(core.outputs) != 1:
        raise ValueError(
            f"run-time weights need one input and one output stream, {core.top} has {len(core.inputs)} and "
            f"{len(core.outputs)}; stitch the whole network, or leave runtime_weights out"
        )
    (source,), (sink,) = core.inputs, core.outputs
    head, image = header(sets), encode_image(sets)
    with_last = [port.name for port in (source, sink) if port.last]
    text = render(
        _TOP,
        core=core.top,
        name=name,
        ports=",\n".join(
            [stream_ports(source, "input"), stream_ports(sink, "output"), stream_ports(LOAD_STREAM, "input")]
        ),
        words=sum(len(part.words) for part in sets),
        header=f"{8 * len(head)}'h{head[::-1].hex()}",
        built_in=f"32'h{image_identifier(image):08x}",
        in_count=counts[0],
        out_count=counts[1],
        source=source.name,
        sink=sink.name,
        in_last=f"{source.name}_TLAST" if source.last else "1'b0",
        out_last=f"{sink.name}_TLAST" if sink.last else "1'b0",
        lasts="".join(f"\n      .{port}_TLAST({port}_TLAST)," for port in with_last),
        restart=RESTART,
        status=STATUS,
        identifier=IDENTIFIER,
    )
    top = write_atomically(directory / f"{name}.sv", text)
    idle = (*(f"{LOAD_STREAM.name}_{part}" for part in ("TDATA", "TVALID")), RESTART)
    return replace(core, top=name, sources=(*core.sources, top), idle=idle)
