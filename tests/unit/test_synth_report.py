# SPDX-License-Identifier: BSD-3-Clause
"""Reports of small modules whose hardware is known."""

import doctest
from pathlib import Path

import pytest

from finn_flirnn.codegen import Resources, RtlModule, StreamPort
from finn_flirnn.numerics import Format
from finn_flirnn.synth import Family, SynthesisError, cells, cost_of, report, synthesise, yosys

RTL = Path(__file__).parents[1] / "fakes" / "rtl"
PORTS = tuple((StreamPort(name, 2, Format(8, 0)),) for name in ("in0_V", "out0_V"))

MULTIPLIER = """// SPDX-License-Identifier: BSD-3-Clause
module multiplier (
    input logic ap_clk, input logic signed [17:0] a, input logic signed [17:0] b, output logic signed [35:0] y
);
  always_ff @(posedge ap_clk) y <= a * b;
endmodule
"""

MEMORY = """// SPDX-License-Identifier: BSD-3-Clause
module memory (
    input logic ap_clk, input logic write, input logic [10:0] addr,
    input logic [17:0] d, output logic [17:0] q
);
  logic [17:0] mem [2048];
  always_ff @(posedge ap_clk) begin
    if (write) mem[addr] <= d;
    q <= mem[addr];
  end
endmodule
"""


def written(name: str, text: str, directory: Path) -> RtlModule:
    (directory / f"{name}.sv").write_text(text)
    return RtlModule(name, directory, (Path(f"{name}.sv"),), (), (), ())


@pytest.mark.parametrize("family", list(Family))
def test_a_register_slice_takes_17_flip_flops(family: Family) -> None:
    result = synthesise(RtlModule("one_register", RTL, (Path("one_register.sv"),), (), *PORTS), family)
    assert result.ff == 17  # 16 bits of data and one that says whether they are valid
    assert 1 <= result.lut <= 2
    assert (result.dsp, result.bram36, result.uram) == (0, 0, 0)
    assert (result.tool, result.version, result.family) == ("yosys", yosys.yosys_version(), family)
    assert result.abc9_delay_ns is not None and 0.1 < result.abc9_delay_ns < 2
    assert result.fmax_mhz is None


@pytest.mark.parametrize("family", list(Family))
def test_a_product_of_two_18_bit_numbers_takes_one_multiplier(family: Family, tmp_path: Path) -> None:
    assert synthesise(written("multiplier", MULTIPLIER, tmp_path), family).dsp == 1


@pytest.mark.parametrize("family", list(Family))
def test_36_kb_of_memory_take_one_block(family: Family, tmp_path: Path) -> None:
    result = synthesise(written("memory", MEMORY, tmp_path), family)
    assert (result.bram36, result.lut) == (1, 0)


def test_paths_with_blanks_and_quotes_are_read(tmp_path: Path) -> None:
    directory = tmp_path / """a "quoted" folder's name"""
    directory.mkdir()
    assert synthesise(written("multiplier", MULTIPLIER, directory), "ecp5").dsp == 1


def test_an_error_of_yosys_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="(?s)failed with status.*nowhere"):
        synthesise(written("bad", "module bad; nowhere u_nowhere(); endmodule\n", tmp_path))


def test_too_little_memory_ends_in_an_error_that_states_the_limit(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"memory limit 0\.125 GiB"):
        synthesise(written("multiplier", MULTIPLIER, tmp_path), memory_limit_gib=0.125)


def test_too_little_time_ends_in_an_error_that_states_the_limit(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"not done after 0\.1 s"):
        synthesise(written("multiplier", MULTIPLIER, tmp_path), timeout_s=0.1)


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xc6"):
        synthesise(written("multiplier", MULTIPLIER, tmp_path), "xc6")


def test_a_cell_without_a_known_cost_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cells \['GTXE2'\] have no cost in family xc7"):
        cost_of({"LUT6": 1, "GTXE2": 1}, Family.XC7)


def test_distributed_memory_counts_as_luts() -> None:
    cells = {"RAM32M": 2, "RAM32M16": 1, "RAM64X1D": 3, "SRL16E": 5, "CARRY8": 7}
    assert cost_of(cells, Family.XCUP) == Resources(lut=2 * 4 + 8 + 3 * 2 + 5)
    assert cost_of({"TRELLIS_DPR16X4": 2, "CCU2C": 3}, Family.ECP5) == Resources(lut=2 * 6 + 3 * 2)


def test_a_log_without_mapping_has_no_delay() -> None:
    assert report.mapped_delay_ns("nothing was mapped") is None


@pytest.mark.parametrize("module", [cells, report])
def test_examples_in_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0 and result.failed == 0
