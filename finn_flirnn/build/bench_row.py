# SPDX-License-Identifier: BSD-3-Clause
"""One row of the bench: what the reports of a build say, beside the budget of its configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.build.boards import RESOURCES
from finn_flirnn.build.config import BuildConfig
from finn_flirnn.common.files import read_json_file
from finn_flirnn.numerics import Seq2SeqNetwork

FRAME_PIXELS = 500 * 500
LEAST_EFFICIENCY = 0.95
MOST_DSP_PER_PRODUCT = 0.55
MOST_XCUP_DELAY_NS = 3.0
LEAST_SIMULATED_PIXELS_PER_S = 50.0
SHIPPED = "zcu104_8bit"


@dataclass(frozen=True)
class Budget:
    """What a configuration may take at most: DSP blocks, cycles a pixel, LUT, FF."""

    dsp: int
    cycles_per_pixel: int
    lut: int
    ff: int


BUDGETS = {
    "zcu104_8bit": Budget(220, 2_600, 18_000, 25_000),
    "zcu104_8bit_runtime": Budget(220, 2_600, 18_000, 25_000),
    "zcu104_8bit_fast": Budget(820, 600, 70_000, 80_000),
    "pynqz2_8bit": Budget(210, 2_600, 20_000, 30_000),
    "zcu104_4bit": Budget(200, 2_600, 14_000, 20_000),
}
"""What the engines of these configurations must not exceed."""


@dataclass(frozen=True)
class BenchRow:
    """A configuration's figures.

    products_per_cycle: multiply-accumulates that the hardware can make in a cycle, encoder, decoder and
    head together. mac_efficiency: useful ones of encoder and decoder over what they could make, in steady
    state. first_output_cycles: from the first input to the first output, of a whole group of lanes.
    answer_cycles: from a group's last value to its first output.
    frame_s: 500 x 500 pixels at the clock of the configuration. abc9_delay_ns: pre-route, by Yosys.
    fmax_mhz: by a router, None without one. simulated_pixels_per_s: on the machine that ran the bench,
    None for a design that was simulated with fewer lanes than it has.
    missed: what is over budget, in words.
    """

    name: str
    family: str
    pixels: int
    products_per_cycle: float
    dsp: int
    lut: int
    ff: int
    bram36: float
    uram: int
    cycles_per_pixel: float
    mac_efficiency: float
    first_output_cycles: int
    answer_cycles: int
    clock_mhz: float
    pixels_per_s: float
    frame_s: float
    abc9_delay_ns: float | None
    fmax_mhz: float | None
    simulated_pixels_per_s: float | None
    missed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "missed": list(self.missed)}


def bench_row(
    config: BuildConfig, network: Seq2SeqNetwork, build: Path, simulated_pixels_per_s: float | None
) -> BenchRow:
    """The row of a build whose reports rtlsim and synthesis are there. Raises OSError without them."""
    rtlsim = read_json_file(build / "report" / "rtlsim.json")
    synthesis = read_json_file(build / "report" / "synthesis.json")
    cycles, efficiency = rtlsim["cycles_per_pixel"], rtlsim["mac_efficiency"]
    recurrent = network.steps * sum(layer.macs_per_step for layer in network.recurrent.values())
    head = config.head_folding.pe * config.head_folding.simd * config.copies
    figures: dict[str, Any] = {
        "products_per_cycle": round(recurrent / (efficiency * cycles)) + head,
        **{key: synthesis[key] for key in (*RESOURCES, "abc9_delay_ns", "fmax_mhz")},
        "cycles_per_pixel": cycles,
        "mac_efficiency": efficiency,
        "simulated_pixels_per_s": simulated_pixels_per_s,
    }
    return BenchRow(
        name=config.name,
        family=synthesis["family"],
        pixels=rtlsim["pixels"],
        first_output_cycles=rtlsim["first_output_cycles"],
        answer_cycles=rtlsim["answer_cycles"],
        clock_mhz=rtlsim["clock_mhz"],
        pixels_per_s=rtlsim["pixels_per_s"],
        frame_s=FRAME_PIXELS / rtlsim["pixels_per_s"],
        missed=_missed(config.name, synthesis["family"], figures),
        **figures,
    )


def _missed(name: str, family: str, figures: dict[str, Any]) -> tuple[str, ...]:
    """Each figure that misses its budget: the figure, the budget. Nothing if the configuration has none."""
    if name not in BUDGETS:
        return ()
    most: dict[str, float] = asdict(BUDGETS[name])
    least = {"mac_efficiency": LEAST_EFFICIENCY}
    if family == "xcup":
        most |= {"dsp_per_product": MOST_DSP_PER_PRODUCT, "abc9_delay_ns": MOST_XCUP_DELAY_NS}
    if name == SHIPPED:
        least["simulated_pixels_per_s"] = LEAST_SIMULATED_PIXELS_PER_S
    found = {**figures, "dsp_per_product": figures["dsp"] / figures["products_per_cycle"]}
    over = [(key, "most", most[key]) for key in most if found[key] > most[key]]
    under = [(key, "least", least[key]) for key in least if found[key] < least[key]]
    return tuple(
        f"{key} {found[key]:,.4g} instead of at {word} {limit:,g}" for key, word, limit in over + under
    )
