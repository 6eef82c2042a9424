# SPDX-License-Identifier: BSD-3-Clause
"""Small networks with run-time weights, and their stitched design driven pin by pin."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.hwops.attributes import RUNTIME_WEIGHTS
from finn_flirnn.hwops.design import Design, emit_design
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.numerics import Codes, Seq2SeqNetwork
from finn_flirnn.sim import VerilatedModel
from finn_flirnn.sim.library import Instance
from finn_flirnn.sim.packing import pack, unpack
from tests.fakes import finn_graphs

STEPS, LANES, HIDDEN = 5, 3, 4
SETTLING_CYCLES = 12
"""What the loader needs for the last word that it took, with some to spare."""


def loadable_graph(network: Seq2SeqNetwork, lanes: int = LANES, **attributes: int) -> Any:
    """A graph of abstract ops with run-time weights; attributes of every GRU."""
    register()
    model = finn_graphs.network_model(network, lanes)
    for node in model.graph.node:
        op = getCustomOp(node)
        op.set_nodeattr("layer", node.name)
        op.set_nodeattr(RUNTIME_WEIGHTS, 1)
        for name, value in attributes.items():
            if node.op_type == "GRU":
                op.set_nodeattr(name, value)
    return model


def emit_loadable_design(model: Any, folder: Path) -> Design:
    """The stitched design of a graph of abstract ops."""
    for node in model.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    return emit_design(model, folder, "top")


def image_words(image: bytes) -> list[int]:
    """An image as words of 32 bits."""
    return list(struct.unpack(f"<{len(image) // 4}I", image))


def with_right_crc(image: bytes) -> bytes:
    """An image that was changed, its CRC made right again."""
    return image[:-4] + struct.pack("<I", zlib.crc32(image[:-4]))


@dataclass
class Pins:
    """A design with load ports in simulation; its output is always taken.

    pixels, words: what waits to be sent. taken: output words. Each cycle sends at most one of both.
    """

    model: VerilatedModel
    seed: int = 1
    pixels: deque[int] = field(default_factory=deque)
    words: deque[int] = field(default_factory=deque)
    taken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._instance = Instance(self.model.library, self.model.module.directory, self.seed)
        self._random = np.random.default_rng(self.seed)
        self.model.rest(self._instance)
        for name in ("ap_clk", "in0_V_TVALID", "in0_V_TDATA"):
            self.write(name, 0)
        self.write("out0_V_TREADY", 1)
        self.reset()

    def write(self, name: str, value: int) -> None:
        """Set a pin."""
        self._instance.write(self.model.port(name), value)

    def read(self, name: str) -> int:
        """A pin's value."""
        return self._instance.read(self.model.port(name))

    def reset(self) -> None:
        """Reset the design for some cycles."""
        self.write("ap_rst_n", 0)
        self.run(8, reset=True)
        self.write("ap_rst_n", 1)
        self.run(2, reset=True)

    def restart(self) -> None:
        """Give up the image that is being loaded."""
        self.words.clear()
        self.write("load_restart", 1)
        self.run(1)
        self.write("load_restart", 0)

    def offer(self, codes: Codes) -> None:
        """Queue input transfers (n, elements)."""
        words = pack(codes, self.model.module.inputs[0].format)
        self.pixels.extend(int.from_bytes(row.tobytes(), "little") for row in words)

    def load(self, image: bytes) -> None:
        """Queue an image."""
        self.words.extend(image_words(image))

    def run(self, cycles: int, reset: bool = False) -> None:
        """Go on. Words of an image come in fits and starts."""
        instance, out = self._instance, self.model.port("out0_V_TDATA")
        for _ in range(cycles):
            feeding = not reset and bool(self.pixels)
            loading = not reset and bool(self.words) and (self.loading or self._random.random() < 0.7)
            self.loading = loading
            self.write("in0_V_TVALID", int(feeding))
            self.write("load_V_TVALID", int(loading))
            if feeding:
                self.write("in0_V_TDATA", self.pixels[0])
            if loading:
                self.write("load_V_TDATA", self.words[0])
            self.write("ap_clk", 0)
            instance.evaluate()
            if feeding and self.read("in0_V_TREADY"):
                self.pixels.popleft()
            if loading and self.read("load_V_TREADY"):
                self.words.popleft()
                self.loading = False
            if not reset and self.read("out0_V_TVALID"):
                self.taken.append(instance.read(out))
            self.write("ap_clk", 1)
            instance.evaluate()

    loading: bool = False
    """Whether a word is being offered, which must not be taken back."""

    def settle(self, limit: int = 100_000) -> None:
        """Go on until everything offered is in and nothing more comes out."""
        quiet = 0
        while quiet < 4 and limit > 0:
            before = len(self.taken), len(self.words), len(self.pixels)
            self.run(100)
            limit -= 100
            changed = before != (len(self.taken), len(self.words), len(self.pixels))
            quiet = 0 if changed or self.words else quiet + 1

    def results(self) -> Codes:
        """All codes that came out, (transfers, elements)."""
        port = self.model.module.outputs[0]
        words = np.array(self.taken, dtype=np.uint32).reshape(-1, 1)
        return unpack(words, port.elements, port.format)

    @property
    def state(self) -> int:
        """Bits 7:0 of load_status."""
        return self.read("load_status") & 0xFF

    @property
    def sets_taken(self) -> int:
        """Bits 31:8 of load_status."""
        return self.read("load_status") >> 8
