# SPDX-License-Identifier: BSD-3-Clause
"""Synthesised netlists in simulation: what Yosys makes of a module still does the same."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.numerics import Format
from finn_flirnn.sim import build_model, simulate
from finn_flirnn.synth import SynthesisError, cell_models, netlist

RTL = Path(__file__).parents[1] / "fakes" / "rtl"

MULTIPLY_ACCUMULATE = """// SPDX-License-Identifier: BSD-3-Clause
// y(t) = y(t-1) + table[x0] * x1, from y = 0 at reset; the table is a block RAM unless told otherwise.
module multiply_accumulate (
    input logic ap_clk, input logic ap_rst_n,
    input logic [15:0] in0_V_TDATA, input logic in0_V_TVALID, output logic in0_V_TREADY,
    output logic [31:0] out0_V_TDATA, output logic out0_V_TVALID, input logic out0_V_TREADY
);
  (* rom_style = "block" *) logic signed [11:0] mem [256];
  initial for (int i = 0; i < 256; i++) mem[i] = 12'(i * 37 - 2048);
  logic signed [11:0] entry;
  logic signed [7:0] factor;
  logic signed [31:0] sum;
  logic looked_up, go;
  assign go = !out0_V_TVALID || out0_V_TREADY;
  assign in0_V_TREADY = go;
  assign out0_V_TDATA = sum;
  always_ff @(posedge ap_clk) begin
    if (go) entry <= mem[in0_V_TDATA[7:0]];
    if (go) factor <= in0_V_TDATA[15:8];
    if (!ap_rst_n) looked_up <= 1'b0;
    else if (go) looked_up <= in0_V_TVALID;
    if (!ap_rst_n) out0_V_TVALID <= 1'b0;
    else if (go) out0_V_TVALID <= looked_up;
    if (!ap_rst_n) sum <= '0;
    else if (go && looked_up) sum <= sum + 32'(entry) * 32'(factor);
  end
endmodule
"""


def multiply_accumulate(directory: Path) -> RtlModule:
    (directory / "multiply_accumulate.sv").write_text(MULTIPLY_ACCUMULATE)
    return RtlModule(
        "multiply_accumulate",
        directory,
        (Path("multiply_accumulate.sv"),),
        (),
        (StreamPort("in0_V", 2, Format(8, 0)),),
        (StreamPort("out0_V", 1, Format(32, 0)),),
    )


def test_a_netlist_with_multiplier_and_table_gives_the_codes_of_its_source(tmp_path: Path) -> None:
    module = netlist(multiply_accumulate(tmp_path), "xc7", tmp_path / "netlist")
    assert "DSP48E1" in module.sources[-1].read_text()
    x = np.random.default_rng(0).integers(-128, 128, (300, 2))
    table = (np.arange(256) * 37) % 4096 - 2048  # 12-bit arithmetic
    expected = np.cumsum(table[x[:, 0] & 255] * x[:, 1])
    model = build_model(module, lint=False, optimisation=0)
    result = simulate(model, {"in0_V": x}, {"out0_V": len(x)}, stalls=0.3, reset_at=99)
    assert np.array_equal(result.outputs["out0_V"][:, 0], expected)


def test_a_model_that_yosys_no_longer_has_is_named() -> None:
    assert doctest.testmod(cell_models).failed == 0
    with pytest.raises(SynthesisError, match="hold no RAMB18E9; adapt"):
        cell_models.without("module a(); endmodule", ["RAMB18E9"])
