# SPDX-License-Identifier: BSD-3-Clause
"""What tests make deployment packages from."""

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from finn_flirnn.build.deploy import DeploymentSpec, build_identifier
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.driver.packing import to_groups
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135

FAKES = Path(__file__).parents[1] / "fakes"
PRESET = replace(PAPER135, gates=40)
LANES, PIXELS = 2, 5
SPEC = DeploymentSpec(
    name="test_build",
    board="ZCU104",
    clock_mhz=200.0,
    lanes=LANES,
    model_sha256="ab" * 32,
    pixels_per_s=1234.5,
    output_names=("full", "short", "long"),
    gate_step_ns=PRESET.gate_step_ns,
    conditions={"preset": PRESET.name, "irf_fwhm_ns": 0.25},
    latency_s=1e-4,
)


@dataclass(frozen=True)
class Made:
    """What a package was made from."""

    network: Seq2SeqNetwork
    module: RtlModule
    decays: Decays
    bitfile: Path
    fakes: ModuleType

    @property
    def counts(self) -> np.ndarray:
        return self.decays.counts

    @property
    def truth(self) -> Lifetimes:
        decays = self.decays
        return Lifetimes.from_components(decays.tau1_ns, decays.tau2_ns, decays.amplitude_fraction)


def make(folder: Path) -> Made:
    """A network, a module with its ports, and a "bitfile" that knows the oracle's answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        fakes = importlib.import_module("oracle_engine")
    network = fakes.small_network(PRESET.gates)
    (folder / "top.sv").write_text("module top; endmodule\n")
    module = RtlModule(
        top="top",
        directory=folder,
        sources=(folder / "top.sv",),
        data=(),
        inputs=(StreamPort("in0_V", 1, network.input_format),),
        outputs=(StreamPort("out0_V", 3, network.output_format),),
    )
    decays = simulate(PRESET, PIXELS, seed=11)
    bitfile = folder / "top.bit"
    write_bitfile(bitfile, network, module, decays.counts)
    bitfile.with_suffix(".hwh").write_text("<hwh/>\n")
    return Made(network, module, decays, bitfile, fakes)


def write_bitfile(path: Path, network: Seq2SeqNetwork, module: RtlModule, counts: np.ndarray) -> None:
    """Write what the model of pynq takes for a bitfile: groups of inputs, the network's answers, and the
    module's build identifier."""
    codes = network.input_format.quantise(normalise(counts))[:, :, np.newaxis]
    inputs = to_groups(codes, LANES)
    pixels = inputs.swapaxes(1, 2).reshape(-1, PRESET.gates, 1)
    outputs = to_groups(network.run(pixels), LANES)
    with path.open("wb") as file:
        np.savez(
            file,
            inputs=inputs.astype(np.uint8).reshape(len(inputs), -1),
            outputs=outputs.astype(np.uint8).reshape(len(outputs), -1),
            build=build_identifier(module),
        )
