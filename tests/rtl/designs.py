# SPDX-License-Identifier: BSD-3-Clause
"""Heads and whole networks with random weights, beside the single layers of ``layers``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finn_flirnn.codegen import (
    DenseFolding,
    Direction,
    Instance,
    Link,
    Multiplier,
    RtlModule,
    Transposer,
    emit_dense,
    emit_transposer,
    stitch,
)
from finn_flirnn.codegen.transposer import LIVE_DEPTH
from finn_flirnn.numerics import Codes, DenseLayer, Format, Seq2SeqNetwork
from tests.rtl.layers import GruCase, extreme_codes, interleave, random_codes


@dataclass(frozen=True)
class Prepared:
    """Hardware, what to send, and what the oracle expects: codes (transfers, elements) by stream.

    tlast: whether the last transfer of the input, and so of the output, carries TLAST.
    """

    module: RtlModule
    inputs: dict[str, Codes]
    expected: Codes
    tlast: bool = False


@dataclass(frozen=True)
class GruDesign:
    """One recurrent layer."""

    gru: GruCase

    @property
    def lanes(self) -> int:
        """Pixels in a group."""
        return self.gru.folding.lanes

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of its streams, the output last."""
        count = int(self.gru.inputs > 0) + int(self.gru.initial_state)
        return (*(f"in{i}_V" for i in range(count)), "out0_V")

    def prepare(self, rng: np.random.Generator, directory: Path, groups: int, missing: int) -> Prepared:
        """Emit the layer and draw its data; the last group lacks ``missing`` pixels."""
        layer = self.gru.layer(rng)
        return Prepared(self.gru.emit(layer, directory), *self.gru.data(layer, groups, rng, missing))


@dataclass(frozen=True)
class HeadCase:
    """A dense head's sizes, formats and folding. A group is one position."""

    inputs: int
    outputs: int
    folding: DenseFolding
    source: Format
    weight: Format
    target: Format
    multiplier: Multiplier = Multiplier.DSP48E2
    extreme: bool = False
    lanes = 1
    streams = ("in0_V", "out0_V")

    def layer(self, rng: np.random.Generator) -> DenseLayer:
        """A head with random weights and biases."""
        draw = extreme_codes if self.extreme else random_codes
        bias = 1 << max(self.weight.frac + self.source.frac, 1)
        weight = draw(rng, self.weight, (self.outputs, self.inputs))
        return DenseLayer(
            self.source, self.weight, self.target, weight, rng.integers(-bias, bias + 1, self.outputs)
        )

    def emit(self, layer: DenseLayer, directory: Path) -> RtlModule:
        """The hardware of the head."""
        return emit_dense(layer, self.folding, directory, "head", self.multiplier)

    def prepare(self, rng: np.random.Generator, directory: Path, groups: int, missing: int) -> Prepared:
        """Emit the head and draw its data; nothing can be missing from a group of one."""
        layer = self.layer(rng)
        draw = extreme_codes if self.extreme else random_codes
        x = draw(rng, self.source, (groups, self.inputs))
        return Prepared(
            self.emit(layer, directory),
            {"in0_V": x.reshape(-1, self.folding.simd)},
            layer.run(x).reshape(-1, self.folding.pe),
        )


@dataclass(frozen=True)
class NetworkCase:
    """Encoder, decoder and head, stitched with FIFOs of these depths between them.

    transposed: pixels come and go one after the other, through transposers at both ends; else in groups.
    The decoder's lanes divide the encoder's; transposed, they are the same.
    """

    encoder: GruCase
    decoder: GruCase
    head: HeadCase
    depths: tuple[int, int]
    transposed: bool = False
    streams = ("in0_V", "out0_V")

    @property
    def lanes(self) -> int:
        """Pixels in a group."""
        return self.encoder.folding.lanes

    def prepare(self, rng: np.random.Generator, directory: Path, groups: int, missing: int) -> Prepared:
        """Emit the network and draw its data; the last group lacks ``missing`` pixels."""
        encoder, decoder, head = self.encoder, self.decoder, self.head
        network = Seq2SeqNetwork(encoder.steps, encoder.layer(rng), decoder.layer(rng), head.layer(rng))
        instances = [
            Instance("encoder", encoder.emit(network.encoder, directory, "encoder")),
            Instance("decoder", decoder.emit(network.decoder, directory, "decoder")),
            Instance("head", head.emit(network.head, directory)),
        ]
        links = [
            Link(("encoder", "out0_V"), ("decoder", "in0_V"), self.depths[0]),
            Link(("decoder", "out0_V"), ("head", "in0_V"), self.depths[1]),
        ]
        draw = extreme_codes if encoder.extreme else random_codes
        pixels = groups * self.lanes
        x = draw(rng, network.input_format, (pixels, encoder.steps, encoder.inputs))
        if self.transposed:
            x = x[: pixels - missing]
            given, expected = x, network.run(x)
            instances += [
                Instance(direction, self._transposer(direction, network, directory))
                for direction in Direction
            ]
            links += [
                Link((Direction.GATHER, "out0_V"), ("encoder", "in0_V")),
                Link(("head", "out0_V"), (Direction.SCATTER, "in0_V")),
                Link((Direction.GATHER, "out1_V"), (Direction.SCATTER, "in1_V"), LIVE_DEPTH),
            ]
        else:
            x[pixels - missing :] = 0
            given, expected = interleave(x, self.lanes), interleave(network.run(x), decoder.folding.lanes)
        return Prepared(
            stitch(directory, "top", instances, links),
            {"in0_V": given.reshape(-1, encoder.folding.input_simd)},
            expected.reshape(-1, head.folding.pe),
            tlast=self.transposed,
        )

    def _transposer(self, direction: Direction, network: Seq2SeqNetwork, directory: Path) -> RtlModule:
        before = direction is Direction.GATHER
        transposer = Transposer(
            direction,
            network.steps,
            self.lanes,
            features=self.encoder.inputs if before else self.head.outputs,
            elements=self.encoder.folding.input_simd if before else self.head.folding.pe,
            format=network.input_format if before else network.output_format,
            partial=True,
        )
        return emit_transposer(transposer, directory, direction, self.encoder.multiplier)


Design = GruDesign | HeadCase | NetworkCase
