# SPDX-License-Identifier: BSD-3-Clause
"""The output directory of a small build for the ULX3S, as the steps of build.py make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from finn_flirnn.build.board_files import emit_board
from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment
from finn_flirnn.build.rtl_files import WEIGHTS, collect_sources
from finn_flirnn.codegen import (
    DenseFolding,
    GruFolding,
    Instance,
    Link,
    Multiplier,
    WeightSet,
    dense_weight_set,
    emit_dense,
    emit_gru,
    emit_loadable,
    encode_image,
    gru_weight_set,
    stitch,
)
from finn_flirnn.codegen.link import LinkSettings
from finn_flirnn.driver.metadata import AcceleratorMetadata, SerialLink
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135

PRESET = replace(PAPER135, gates=24)
LANES, PIXELS = 3, 14
SETTINGS = LinkSettings(clock_hz=50_000_000, baud=5_000_000, idle_s=5e-4, buffer_bytes=256)
FRAME = PRESET.gates * LANES


@dataclass(frozen=True)
class Build:
    """The output directory of a small build for the ULX3S."""

    output: Path
    network: Seq2SeqNetwork
    counts: np.ndarray

    @property
    def metadata(self) -> AcceleratorMetadata:
        return AcceleratorMetadata.read(self.output / "deploy")

    @property
    def codes(self) -> np.ndarray:
        """Output codes of the oracle for the example decays."""
        inputs = self.network.input_format.quantise(normalise(self.counts))
        return self.network.run(inputs[:, :, np.newaxis])


MULTIPLIER = Multiplier.MULT18


def small_image(network: Seq2SeqNetwork) -> bytes:
    """The weight image of a network for a build with run-time weights."""
    return encode_image(_weight_sets(network))


def _weight_sets(network: Seq2SeqNetwork) -> list[WeightSet]:
    folding, head = GruFolding(2, 2, 1, LANES, runtime_weights=True), DenseFolding(3, 2, True)
    recurrent = [
        gru_weight_set(layer, network.steps, folding, MULTIPLIER)
        for layer in (network.encoder, network.decoder)
    ]
    return [*recurrent, dense_weight_set(network.head, head, MULTIPLIER)]


def make_build(output: Path, network: Seq2SeqNetwork, runtime_weights: bool = False) -> Build:
    scratch, folding = output / "rtl", GruFolding(2, 2, 1, LANES, runtime_weights=runtime_weights)
    head, steps, multiplier = DenseFolding(3, 2, runtime_weights), network.steps, MULTIPLIER
    layers = {
        "encoder": emit_gru(network.encoder, steps, folding, scratch, "encoder", multiplier),
        "decoder": emit_gru(network.decoder, steps, folding, scratch, "decoder", multiplier),
        "head": emit_dense(network.head, head, scratch, "head", multiplier),
    }
    links = [
        Link(("encoder", "out0_V"), ("decoder", "in0_V"), 8),
        Link(("decoder", "out0_V"), ("head", "in0_V"), 8),
    ]
    instances = [Instance(name, module) for name, module in layers.items()]
    if runtime_weights:
        counts_of_group = FRAME, FRAME
        core = stitch(scratch, "top_core", instances, links)
        core = emit_loadable(core, scratch, "top", _weight_sets(network), counts_of_group)
        (scratch / WEIGHTS).write_bytes(small_image(network))
    else:
        core = stitch(scratch, "top", instances, links)
    core = collect_sources(core, scratch)
    emit_board(core, network, LANES, SETTINGS, output / "board")
    spec = DeploymentSpec(
        name="small",
        board="ULX3S",
        clock_mhz=SETTINGS.clock_hz / 1e6,
        lanes=LANES,
        model_sha256="ab" * 32,
        pixels_per_s=20_000.0,
        output_names=("full", "short", "long"),
        gate_step_ns=PRESET.gate_step_ns,
        conditions={},
        link=SerialLink(SETTINGS.baud, SETTINGS.idle_s),
    )
    counts = simulate(PRESET, PIXELS, seed=5).counts
    assemble_deployment(output, spec, network, core, counts)
    return Build(output, network, counts)
