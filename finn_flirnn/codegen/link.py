# SPDX-License-Identifier: BSD-3-Clause
"""A core behind the host link (rtl/link.sv), and a test bench that speaks to it over the two pins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen.loadable import IDENTIFIER, LOAD_STREAM, RESTART, STATUS
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.files import write_atomically
from finn_flirnn.numerics import Format
from finn_flirnn.rtl import link_sources

PHASE_BITS = 24
LEAST_CYCLES_A_BIT = 5
MOST_BAUD_ERROR = 0.005
LONGEST_FRAME = (1 << 16) - 1

_SYSTEM = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $core behind the host link; $baud baud at $clock_hz Hz.
module $name (
    input  logic clk,
    input  logic rst_n,
    input  logic rxd,
    output logic txd,
    output logic busy,
    output logic bad
);
  logic [$in_high:0] in_dat;
  logic [$out_high:0] out_dat;
  logic in_vld, in_rdy, out_vld, out_rdy;
  logic [31:0] load_dat, load_status, weights_id;
  logic load_vld, load_rdy, load_restart;
  link #(
      .PHASE($phase), .STEP($step), .IDLE($idle), .DEPTH($depth), .FRAME($frame),
      .RESULT_BYTES($result_bytes), .IN_BYTES($in_bytes), .OUT_BYTES($out_bytes), .LOADS($loads),
      .IDENTITY_BYTES($identity_bytes), .IDENTITY($identity)
  ) u_link (
      .clk(clk), .rst_n(rst_n), .rxd(rxd), .txd(txd),
      .odat(in_dat), .ovld(in_vld), .ordy(in_rdy),
      .idat(out_dat), .ivld(out_vld), .irdy(out_rdy),
      .ldat(load_dat), .lvld(load_vld), .lrdy(load_rdy), .restart(load_restart),
      .load_status(load_status), .weights_id(weights_id),
      .busy(busy), .bad(bad)
  );
  $core u_core (
      .ap_clk(clk), .ap_rst_n(rst_n),
      .${source}_TDATA(in_dat), .${source}_TVALID(in_vld), .${source}_TREADY(in_rdy),
      .${sink}_TDATA(out_dat), .${sink}_TVALID(out_vld), .${sink}_TREADY(out_rdy)$loaded
  );
$rest
endmodule
"""

_LOADED = f""",
      .{LOAD_STREAM.name}_TDATA(load_dat), .{LOAD_STREAM.name}_TVALID(load_vld),
      .{LOAD_STREAM.name}_TREADY(load_rdy), .{RESTART}(load_restart),
      .{STATUS}(load_status), .{IDENTIFIER}(weights_id)"""
_NOT_LOADED = """  logic unused;
  assign load_rdy = 1'b0;
  assign load_status = '0;
  assign weights_id = '0;
  assign unused = &{1'b0, load_dat, load_vld, load_restart};"""

_BENCH = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: the host's end of the line to $top; bytes in and out, bits on the pins between.
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [7:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [7:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  logic to_board, from_board, vld, err, irdy, unused;
  logic [7:0] dat;
  uart_transmit #(.PHASE($phase), .STEP($step)) u_tx (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .idat(in0_V_TDATA), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY), .txd(to_board)
  );
  uart_receive #(.PHASE($phase), .STEP($step)) u_rx (
      .clk(ap_clk), .rst_n(ap_rst_n), .rxd(from_board), .odat(dat), .ovld(vld), .oerr(err)
  );
  stream_fifo #(.WIDTH(8), .DEPTH(16)) u_fifo (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(dat), .ivld(vld), .irdy(irdy),
      .odat(out0_V_TDATA), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY)
  );
$instance
  assign unused = &{1'b0, err, irdy, $left_over};
endmodule
"""

_BYTE = Format(8, 0, signed=False)


@dataclass(frozen=True)
class LinkSettings:
    """The host link. clock_hz: of link and core. idle_s: silence that breaks an unfinished frame off.

    buffer_bytes: a power of two, for requests that wait.
    """

    clock_hz: int
    baud: int = 3_000_000
    idle_s: float = 0.05
    buffer_bytes: int = 4096

    def __post_init__(self) -> None:
        if self.clock_hz < LEAST_CYCLES_A_BIT * self.baud:
            raise ValueError(
                f"clock_hz={self.clock_hz} must be at least {LEAST_CYCLES_A_BIT} times baud={self.baud}; "
                "lower the baud rate"
            )
        error = abs(self.step * self.clock_hz / (self.baud << PHASE_BITS) - 1)
        if error > MOST_BAUD_ERROR:
            raise ValueError(f"baud={self.baud} is missed by {error:.1%} at {self.clock_hz} Hz; raise it")

    @property
    def step(self) -> int:
        """Phase that a cycle adds, of 2**PHASE_BITS a bit."""
        return round((self.baud << PHASE_BITS) / self.clock_hz)

    def window(self, frame_bytes: int) -> int:
        """Frames that the buffer holds. Raises ValueError if not even one fits."""
        if frame_bytes > min(self.buffer_bytes, LONGEST_FRAME):
            raise ValueError(
                f"a group of {frame_bytes} bytes must fit buffer_bytes={self.buffer_bytes} and a frame; "
                "use fewer lanes, or a larger buffer"
            )
        return min(self.buffer_bytes // frame_bytes, 255)


def emit_link_system(
    core: RtlModule,
    directory: Path,
    name: str,
    settings: LinkSettings,
    frame_bytes: int,
    result_bytes: int,
    identity: bytes,
) -> RtlModule:
    """Write the module ``name``: a core of one input and one output stream behind the link, which also
    loads its weights if it has run-time weights.

    frame_bytes, result_bytes: of a group's codes in and out. identity: what the link answers to identify.
    Raises ValueError if sizes or ports do not fit.
    """
    if len(core.inputs) != 1 or len(core.outputs) != 1:
        raise ValueError(f"{core.top} must have one input and one output stream; stitch the whole network")
    if core.inputs[0].last or core.outputs[0].last:
        raise ValueError(f"{core.top} must take whole groups, without TLAST; set the order to groups")
    settings.window(frame_bytes)
    loads = RESTART in core.idle
    source, sink = core.inputs[0], core.outputs[0]
    in_bytes, out_bytes = source.padded_bits // 8, sink.padded_bits // 8
    if frame_bytes % in_bytes or result_bytes % out_bytes or result_bytes > LONGEST_FRAME:
        raise ValueError(
            f"groups of {frame_bytes} and {result_bytes} bytes must be whole transfers of {in_bytes} and "
            f"{out_bytes} bytes, the latter at most {LONGEST_FRAME}; use fewer lanes"
        )
    text = render(
        _SYSTEM,
        name=name,
        core=core.top,
        baud=settings.baud,
        clock_hz=settings.clock_hz,
        phase=PHASE_BITS,
        step=settings.step,
        idle=round(settings.idle_s * settings.clock_hz),
        depth=settings.buffer_bytes,
        frame=frame_bytes,
        result_bytes=result_bytes,
        in_bytes=in_bytes,
        out_bytes=out_bytes,
        in_high=source.padded_bits - 1,
        out_high=sink.padded_bits - 1,
        identity_bytes=len(identity),
        identity=f"{8 * len(identity)}'h{identity[::-1].hex()}",
        source=source.name,
        sink=sink.name,
        loads=f"1'b{int(loads)}",
        loaded=_LOADED if loads else "",
        rest="" if loads else _NOT_LOADED,
    )
    top = write_atomically(directory / f"{name}.sv", text)
    # the core's sources may lie elsewhere than this directory
    files = [(core.directory / path).resolve() for path in core.sources]
    data = tuple((core.directory / path).resolve() for path in core.data)
    # both the loader and the link have the CRC
    there = {path.name for path in files}
    links = [path for path in link_sources() if path.name not in there]
    return RtlModule(name, directory, (*files, *links, top), data, (), ())


def emit_bench(
    design: RtlModule, pins: str, outputs: tuple[str, ...], directory: Path, name: str, settings: LinkSettings
) -> RtlModule:
    """Write the test bench ``name`` around a design with a UART.

    pins: connections of the design's ports, in terms of ``ap_clk``, ``ap_rst_n``, ``to_board`` and
    ``from_board``. outputs: ports that nothing reads: name and range, as "[7:0] led".
    """
    declared = "".join(f"  logic {output};\n" for output in outputs)
    text = render(
        _BENCH,
        name=name,
        top=design.top,
        phase=PHASE_BITS,
        step=settings.step,
        instance=f"{declared}  {design.top} u_board ({pins});",
        left_over=", ".join(output.split()[-1] for output in outputs),
    )
    source = write_atomically(directory / f"{name}.sv", text)
    ports = (StreamPort("in0_V", 1, _BYTE),), (StreamPort("out0_V", 1, _BYTE),)
    return RtlModule(name, directory, (*design.sources, source), design.data, *ports)


def system_bench(system: RtlModule, directory: Path, name: str, settings: LinkSettings) -> RtlModule:
    """The test bench of ``emit_link_system``'s module."""
    pins = ".clk(ap_clk), .rst_n(ap_rst_n), .rxd(to_board), .txd(from_board), .busy(busy), .bad(bad)"
    return emit_bench(system, pins, ("busy", "bad"), directory, name, settings)
