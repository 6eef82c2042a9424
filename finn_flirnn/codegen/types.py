# SPDX-License-Identifier: BSD-3-Clause
"""What code generation takes and gives: folding, stream ports, modules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import gcd
from pathlib import Path

from finn_flirnn.numerics import Format


class RamStyle(StrEnum):
    """Where the states lie, in FINN's words for ram_style."""

    AUTO = "auto"
    """By size: LUTs, then block RAM, and UltraRAM as soon as one is filled, if the device has it."""
    BLOCK = "block"
    """As auto, on a device without UltraRAM."""
    ULTRA = "ultra"
    """UltraRAM, however small."""


def divisors(number: int) -> list[int]:
    """Divisors of a positive number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [d for d in range(1, number + 1) if number % d == 0]


def check_divides(value: int, name: str, whole: int, whole_name: str) -> None:
    """Raise ValueError unless ``value`` is a divisor of ``whole``."""
    if value < 1 or whole % value:
        raise ValueError(
            f"{whole_name}={whole} must be a multiple of {name}={value}; choose {name} from {divisors(whole)}"
        )


@dataclass(frozen=True)
class GruFolding:
    """Folding of a GRU engine.

    pe: units in parallel in the recurrent product (divides H).
    simd: state columns in parallel (divides H).
    input_simd: input columns in parallel (divides I; 1 without input).
    lanes: pixels that may travel through the ring at once (C >= 1).
    ram_style: where their states lie: "auto" (by size), "block" (no UltraRAM) or "ultra".
    park: the last states stay in the ring until they are taken (rtl/gru_park.sv); only for a layer that
    gives its last state.
    cell_dsp: whether the cell's two products a unit (r*v', z*(h-n)) take DSPs; else look-up tables.
    runtime_weights: whether weights, biases and tables can be loaded (docs/weights.md).
    """

    pe: int = 1
    simd: int = 1
    input_simd: int = 1
    lanes: int = 1
    ram_style: RamStyle = RamStyle.AUTO
    park: bool = False
    cell_dsp: bool = True
    runtime_weights: bool = False

    def check(self, hidden: int, inputs: int) -> None:
        """Raise ValueError if the folding does not fit a layer of these sizes."""
        check_divides(self.pe, "pe", hidden, "hidden")
        check_divides(self.simd, "simd", hidden, "hidden")
        check_divides(self.input_simd, "input_simd", max(inputs, 1), "inputs")
        if self.lanes < 1:
            raise ValueError(f"lanes={self.lanes} must be at least 1")

    def cell_pe(self, hidden: int) -> int:
        """Units that the cell handles a cycle: enough to follow the matrix-vector unit.

        The least divisor of gcd(pe, simd) that is at least pe * simd / hidden. It exists, because
        lcm(pe, simd) divides hidden. State and initial-state streams carry this many features.
        """
        return next(d for d in divisors(gcd(self.pe, self.simd)) if d * hidden >= self.pe * self.simd)


@dataclass(frozen=True)
class DenseFolding:
    """Folding of a dense head: outputs (pe) and input columns (simd) in parallel.

    runtime_weights: whether weights and biases can be loaded (docs/weights.md).
    """

    pe: int = 1
    simd: int = 1
    runtime_weights: bool = False

    def check(self, outputs: int, inputs: int) -> None:
        """Raise ValueError if the folding does not fit a layer of these sizes."""
        check_divides(self.pe, "pe", outputs, "outputs")
        check_divides(self.simd, "simd", inputs, "inputs")


@dataclass(frozen=True)
class StreamPort:
    """A stream of ``elements`` codes a transfer; ``name`` without the _TDATA suffix.

    last: it has TLAST, which marks the last transfer of so many pixels as are sent together.
    """

    name: str
    elements: int
    format: Format
    last: bool = False

    @property
    def bits(self) -> int:
        """Used bits of a transfer."""
        return self.elements * self.format.bits

    @property
    def padded_bits(self) -> int:
        """Width of TDATA: ``bits`` rounded up to a multiple of 8."""
        return -(-self.bits // 8) * 8

    @property
    def signals(self) -> tuple[str, ...]:
        """The suffixes of its signals."""
        return ("TDATA", "TVALID", "TREADY", *(["TLAST"] if self.last else []))


@dataclass(frozen=True)
class RtlModule:
    """Generated hardware: a top module, its sources in order of compilation, its memory files.

    directory: where the wrapper and the memory files lie; memory files are named in the sources
    relative to it, so tools run there. idle: inputs beside the streams, which may rest at 0.
    """

    top: str
    directory: Path
    sources: tuple[Path, ...]
    data: tuple[Path, ...]
    inputs: tuple[StreamPort, ...]
    outputs: tuple[StreamPort, ...]
    idle: tuple[str, ...] = ()
