# SPDX-License-Identifier: BSD-3-Clause
"""The ULX3S (Lattice ECP5): top module with PLL, reset, LEDs, and pin constraints.

Pins: the board's constraint file, github.com/emard/ulx3s, doc/constraints/ulx3s_v20.lpf; the pins used
here are the same on v3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen.link import LinkSettings, emit_bench
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule
from finn_flirnn.common.files import write_atomically

INPUT_MHZ = 25.0
PFD_MHZ = (10.0, 400.0)
VCO_MHZ = (400.0, 800.0)
"""Limits of the PLL's phase detector and oscillator (Lattice FPGA-DS-02012)."""
MOST_DIVIDER = 128
TOP = "ulx3s"

PINS = {
    "clk_25mhz": ("G2", "PULLMODE=NONE"),
    "ftdi_rxd": ("L4", "PULLMODE=UP DRIVE=4"),
    "ftdi_txd": ("M1", "PULLMODE=UP"),
    "btn_fire1": ("R1", "PULLMODE=DOWN"),
    "wifi_gpio0": ("L2", "PULLMODE=UP DRIVE=4"),
    **{
        f"led[{i}]": (site, "PULLMODE=NONE DRIVE=4")
        for i, site in enumerate(("B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"))
    },
}
"""Site and electrical settings of each port; all are LVCMOS33."""

_TOP = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $system on a ULX3S, at $clock_mhz MHz from the board's 25 MHz.
// LEDs: 0 blinks, 1 the PLL has locked, 2 bytes come, 3 bytes go, 4 an answer is due, 5 the last frame was
// refused. The button FIRE1 resets. wifi_gpio0 high keeps the ESP32 from taking the board over.
module $top (
    input  logic clk_25mhz,
    input  logic ftdi_txd,
    output logic ftdi_rxd,
    input  logic btn_fire1,
    output logic wifi_gpio0,
    output logic [7:0] led
);
  localparam int SHOWN = 20;  // bits of a counter that keeps an LED lit long enough to be seen
  logic clk, locked, rst_n, busy, bad;
  logic [2:0] settled, pressed;
  logic [25:0] life;
  logic [SHOWN-1:0] coming, going;

  (* FREQUENCY_PIN_CLKI = "25", FREQUENCY_PIN_CLKOP = "$clock_mhz" *)
  (* ICP_CURRENT = "12", LPF_RESISTOR = "8", MFG_ENABLE_FILTEROPAMP = "1", MFG_GMCREF_SEL = "2" *)
  EHXPLLL #(
      .CLKI_DIV($clki_div), .CLKFB_DIV($clkfb_div), .CLKOP_DIV($clkop_div), .CLKOP_CPHASE($clkop_phase),
      .FEEDBK_PATH("CLKOP")
  ) u_pll (
      .CLKI(clk_25mhz), .CLKFB(clk), .RST(1'b0), .CLKOP(clk), .LOCK(locked)
  );

  // flip-flops start at zero on this device, so the design starts in reset
  always_ff @(posedge clk) begin
    pressed <= {pressed[1:0], btn_fire1};
    settled <= {settled[1:0], locked};
    rst_n <= settled[2] && !pressed[2];
  end

  $system u_system (
      .clk(clk), .rst_n(rst_n), .rxd(ftdi_txd), .txd(ftdi_rxd), .busy(busy), .bad(bad)
  );

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      life <= '0;
      coming <= '0;
      going <= '0;
    end else begin
      life <= life + 1'b1;
      coming <= !ftdi_txd ? '1 : (coming != '0) ? coming - 1'b1 : '0;
      going <= !ftdi_rxd ? '1 : (going != '0) ? going - 1'b1 : '0;
    end
    led <= {2'b00, bad, busy, going != '0, coming != '0, settled[2], life[25]};
  end
  assign wifi_gpio0 = 1'b1;
endmodule
"""


@dataclass(frozen=True)
class Pll:
    """Dividers: output = 25 MHz / clki * clkfb, oscillator = output * clkop."""

    clki: int
    clkfb: int
    clkop: int

    @property
    def output_mhz(self) -> float:
        """The clock that comes out."""
        return INPUT_MHZ / self.clki * self.clkfb


def pll_for(clock_mhz: float) -> Pll:
    """The dividers that give exactly this clock, the oscillator as near to its middle as can be.

    Raises ValueError, naming the nearest clocks that can be had.
    """
    choices = [
        Pll(clki, clkfb, clkop)
        for clki in range(1, int(INPUT_MHZ / PFD_MHZ[0]) + 1)
        for clkfb in range(1, MOST_DIVIDER + 1)
        for clkop in range(1, MOST_DIVIDER + 1)
        if VCO_MHZ[0] <= INPUT_MHZ / clki * clkfb * clkop <= VCO_MHZ[1]
    ]
    middle = sum(VCO_MHZ) / 2
    right = [p for p in choices if abs(p.output_mhz - clock_mhz) < 1e-9]
    if not right:
        near = sorted({p.output_mhz for p in choices}, key=lambda mhz: abs(mhz - clock_mhz))[:3]
        raise ValueError(
            f"clock_mhz={clock_mhz:g} cannot be made of {INPUT_MHZ:g} MHz; choose one of "
            f"{', '.join(f'{mhz:g}' for mhz in sorted(near))}"
        )
    return min(right, key=lambda p: (p.clki, abs(p.output_mhz * p.clkop - middle)))


def constraints() -> str:
    """The constraint file: pins, their levels, the clock that comes in."""
    lines = ["# Generated: pins of the ULX3S"]
    for port, (site, electrical) in PINS.items():
        lines += [
            f'LOCATE COMP "{port}" SITE "{site}";',
            f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33 {electrical};',
        ]
    lines += [
        f'FREQUENCY PORT "clk_25mhz" {INPUT_MHZ:g} MHZ;',
        "SYSCONFIG CONFIG_IOVOLTAGE=3.3 COMPRESS_CONFIG=ON MCCLK_FREQ=62 "
        "SLAVE_SPI_PORT=DISABLE MASTER_SPI_PORT=ENABLE SLAVE_PARALLEL_PORT=DISABLE;",
    ]
    return "\n".join(lines) + "\n"


def emit_ulx3s(system: RtlModule, directory: Path, clock_mhz: float) -> tuple[RtlModule, Path]:
    """Write the board's top module around a system (codegen/link.py), and its .lpf file; returns both.

    Raises ValueError for a clock that the PLL cannot make.
    """
    pll = pll_for(clock_mhz)
    text = render(
        _TOP,
        top=TOP,
        system=system.top,
        clock_mhz=f"{clock_mhz:g}",
        clki_div=pll.clki,
        clkfb_div=pll.clkfb,
        clkop_div=pll.clkop,
        clkop_phase=pll.clkop // 2 - 1 if pll.clkop > 1 else 0,
    )
    source = write_atomically(directory / f"{TOP}.sv", text)
    pins = write_atomically(directory / f"{TOP}.lpf", constraints())
    return RtlModule(TOP, directory, (*system.sources, source), system.data, (), ()), pins


def ulx3s_bench(top: RtlModule, directory: Path, name: str, settings: LinkSettings) -> RtlModule:
    """A test bench of the board's top, or of its netlist; the PLL's model passes the clock through."""
    pins = (
        ".clk_25mhz(ap_clk), .ftdi_txd(to_board), .ftdi_rxd(from_board), .btn_fire1(!ap_rst_n), "
        ".wifi_gpio0(wifi_gpio0), .led(led)"
    )
    return emit_bench(top, pins, ("wifi_gpio0", "[7:0] led"), directory, name, settings)
