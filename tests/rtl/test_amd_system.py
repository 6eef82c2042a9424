# SPDX-License-Identifier: BSD-3-Clause
"""The models of FINN's DMAs: memory comes back byte for byte, whatever the widths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finn.util.basic import pynq_native_port_width

from finn_flirnn.build.simulated_board import simulated_board
from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.codegen.amd_system import WIDEST_PORT, memory_bits
from finn_flirnn.driver.registers import Registers
from finn_flirnn.numerics import Format
from finn_flirnn.rtl import library_sources

ECHO = """
module echo (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [{high}:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [{high}:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  stream_fifo #(.WIDTH({width}), .DEPTH(4)) u_fifo (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_TDATA), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .odat(out0_V_TDATA), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY)
  );
endmodule
"""


def echo(folder: Path, elements: int) -> RtlModule:
    """A core that gives what it takes, ``elements`` bytes a transfer."""
    source = folder / "echo.sv"
    source.write_text(ECHO.format(width=8 * elements, high=8 * elements - 1))
    ports = (StreamPort("in0_V", elements, Format(8, 0)),), (StreamPort("out0_V", elements, Format(8, 0)),)
    needed = [path for path in library_sources() if path.stem in ("successor", "stream_fifo")]
    return RtlModule("echo", folder, (*needed, source), (), *ports)


def test_memory_is_as_wide_as_finn_has_it_on_the_boards() -> None:
    widths = {pynq_native_port_width[board] for board in ("ZCU104", "KV260_SOM", "Ultra96-V2")}
    assert widths == {WIDEST_PORT}


WIDTHS = [(3, 36, 32), (5, 40, 64), (2, 16, 128), (16, 48, 128)]
"""Bytes of a transfer and of a group, bits of memory: wider and narrower, a multiple or not."""


@pytest.mark.parametrize(("elements", "group", "bits"), WIDTHS)
def test_memory_comes_back_byte_for_byte(tmp_path: Path, elements: int, group: int, bits: int) -> None:
    assert memory_bits(8 * group) == bits
    board = simulated_board(echo(tmp_path, elements), (group, group), stalls=0.4)
    rng = np.random.default_rng(1)
    for groups in (1, 7):
        data = rng.bytes(groups * group)
        assert board.transfer(data, len(data)) == data
    status = Registers(board, "").status()
    assert (status.groups_accepted, status.groups_finished) == (8, 8)
    board.close()


def test_bytes_that_are_no_whole_words_are_refused(tmp_path: Path) -> None:
    board = simulated_board(echo(tmp_path, 2), (16, 16))
    with pytest.raises(RuntimeError, match="must be whole words of memory of 16 bytes"):
        board.transfer(bytes(12), 12)
    board.close()
