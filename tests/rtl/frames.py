# SPDX-License-Identifier: BSD-3-Clause
"""A network whose encoder takes a frame gate by gate, stitched, with every last state to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen import (
    DenseFolding,
    GruFolding,
    Instance,
    Link,
    RtlModule,
    StreamPort,
    emit_dense,
    emit_gru,
    stitch,
)
from finn_flirnn.common.files import write_atomically
from finn_flirnn.numerics import Seq2SeqNetwork

_TAP = """// SPDX-License-Identifier: BSD-3-Clause
// All states to out1_V; the first {count} transfers of them also to out0_V.
module tap (
    input logic ap_clk, input logic ap_rst_n,
    input logic [{high}:0] in0_V_TDATA, input logic in0_V_TVALID, output logic in0_V_TREADY,
    output logic [{high}:0] out0_V_TDATA, output logic out0_V_TVALID, input logic out0_V_TREADY,
    output logic [{high}:0] out1_V_TDATA, output logic out1_V_TVALID, input logic out1_V_TREADY
);
  logic [31:0] seen;
  logic both;
  assign both = seen < 32'd{count};
  assign out0_V_TDATA = in0_V_TDATA;
  assign out1_V_TDATA = in0_V_TDATA;
  assign out0_V_TVALID = in0_V_TVALID && both && out1_V_TREADY;
  assign out1_V_TVALID = in0_V_TVALID && (!both || out0_V_TREADY);
  assign in0_V_TREADY = out1_V_TREADY && (!both || out0_V_TREADY);
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) seen <= '0;
    else if (in0_V_TVALID && in0_V_TREADY && both) seen <= seen + 1'b1;
  end
endmodule
"""


@dataclass(frozen=True)
class Frame:
    """Foldings for frames of ``encoder.lanes`` pixels; the first ``decoded`` pixels go on to the decoder."""

    encoder: GruFolding
    decoder: GruFolding
    head: DenseFolding
    decoded: int

    def emit(self, network: Seq2SeqNetwork, directory: Path) -> RtlModule:
        """out0_V: decoded pixels; out1_V: the last states of all pixels."""
        encoder = emit_gru(network.encoder, network.steps, self.encoder, directory, "encoder")
        (states,) = encoder.outputs
        vector = network.encoder.hidden // states.elements
        text = _TAP.format(high=states.padded_bits - 1, count=self.decoded * vector)
        both = tuple(StreamPort(f"out{i}_V", states.elements, states.format) for i in range(2))
        source = StreamPort("in0_V", states.elements, states.format)
        path = write_atomically(directory / "tap.sv", text)
        tap = RtlModule("tap", directory, (path,), (), (source,), both)
        instances = [
            Instance("encoder", encoder),
            Instance("tap", tap),
            Instance("decoder", emit_gru(network.decoder, network.steps, self.decoder, directory, "decoder")),
            Instance("head", emit_dense(network.head, self.head, directory, "head")),
        ]
        links = [
            Link(("encoder", "out0_V"), ("tap", "in0_V"), 2),
            Link(("tap", "out0_V"), ("decoder", "in0_V"), 64),
            Link(("decoder", "out0_V"), ("head", "in0_V"), 64),
        ]
        ends = [("head", "out0_V"), ("tap", "out1_V")]
        return stitch(directory, "frame", instances, links, outputs=ends)
