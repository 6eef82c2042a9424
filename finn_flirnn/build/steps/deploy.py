# SPDX-License-Identifier: BSD-3-Clause
"""Step deploy: the package that is copied to the board."""

from __future__ import annotations

from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import judged_decays
from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment
from finn_flirnn.build.rtl_files import load_module

EXAMPLES = 64
OUTPUT_NAMES = ("full", "short", "long")


def run(context: BuildContext) -> None:
    """Write deploy/ and deploy.zip."""
    config, network = context.config, context.network
    judged = judged_decays(config, network.input_format)
    preset = judged.decays.preset
    bitfile = context.output / "bitfile" / f"{config.name}.bit"
    spec = DeploymentSpec(
        name=config.name,
        board=config.board,
        clock_mhz=config.clock_mhz,
        lanes=config.lanes,
        model_sha256=str(context.manifest.model_sha256),
        pixels_per_s=context.read_report("rtlsim")["pixels_per_s"],
        output_names=OUTPUT_NAMES,
        gate_step_ns=preset.gate_step_ns,
        conditions=context.source.conditions(preset),
    )
    assemble_deployment(
        context.staging,
        spec,
        network,
        load_module(context.output / "rtl"),
        judged.decays.counts[:EXAMPLES],
        bitfile if bitfile.exists() else None,
    )
