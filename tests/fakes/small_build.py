# SPDX-License-Identifier: BSD-3-Clause
"""The output directory of a small AMD build, as the steps of build.py make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment
from finn_flirnn.build.rtl_files import collect_sources
from finn_flirnn.codegen import (
    DenseFolding,
    GruFolding,
    Instance,
    Link,
    RtlModule,
    emit_dense,
    emit_gru,
    stitch,
)
from finn_flirnn.driver.order import GROUPS
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135

PRESET = replace(PAPER135, gates=24)
LANES, PIXELS = 3, 7


@dataclass(frozen=True)
class Build:
    """The output directory of a small build."""

    output: Path
    network: Seq2SeqNetwork
    counts: np.ndarray

    @property
    def deploy(self) -> Path:
        return self.output / "deploy"

    @property
    def codes(self) -> np.ndarray:
        """Output codes of the oracle for the example decays."""
        inputs = self.network.input_format.quantise(normalise(self.counts))
        return self.network.run(inputs[:, :, np.newaxis])


def stitched(network: Seq2SeqNetwork, scratch: Path, lanes: int = LANES) -> RtlModule:
    """The network's hardware, collected in a folder."""
    folding = GruFolding(2, 2, 1, lanes)
    layers = {
        "encoder": emit_gru(network.encoder, network.steps, folding, scratch, "encoder"),
        "decoder": emit_gru(network.decoder, network.steps, folding, scratch, "decoder"),
        "head": emit_dense(network.head, DenseFolding(3, 2), scratch, "head"),
    }
    links = [
        Link(("encoder", "out0_V"), ("decoder", "in0_V"), 8),
        Link(("decoder", "out0_V"), ("head", "in0_V"), 8),
    ]
    instances = [Instance(name, module) for name, module in layers.items()]
    return collect_sources(stitch(scratch, "top", instances, links), scratch)


def deploy_small(
    output: Path, network: Seq2SeqNetwork, module: RtlModule, lanes: int = LANES, order: str = GROUPS
) -> Build:
    """The package of a module, whatever it does, that promises what the network computes."""
    spec = DeploymentSpec(
        name="small",
        board="ZCU104",
        clock_mhz=200.0,
        lanes=lanes,
        model_sha256="ab" * 32,
        pixels_per_s=1000.0,
        output_names=("full", "short", "long"),
        gate_step_ns=PRESET.gate_step_ns,
        conditions={},
        order=order,
        latency_s=1e-4,
    )
    decays = simulate(PRESET, PIXELS, seed=5)
    truth = Lifetimes.from_components(decays.tau1_ns, decays.tau2_ns, decays.amplitude_fraction)
    assemble_deployment(output, spec, network, module, decays.counts, truth=truth)
    return Build(output, network, decays.counts)


def make_build(output: Path, network: Seq2SeqNetwork) -> Build:
    """Hardware and deployment package."""
    return deploy_small(output, network, stitched(network, output / "rtl"))
