# SPDX-License-Identifier: BSD-3-Clause
"""The network's layers as hardware modules, in the folding of a configuration."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.build.config import BuildConfig
from finn_flirnn.codegen import GruFolding, Multiplier, RtlModule, emit_dense, emit_gru
from finn_flirnn.numerics import GruLayer, Seq2SeqNetwork

MULTIPLIERS = {"xcup": Multiplier.DSP48E2, "xc7": Multiplier.DSP48E1}
"""The hard multiplier of each family of boards."""
LAYERS = ("encoder", "decoder", "head")


def emit_layers(network: Seq2SeqNetwork, config: BuildConfig, folder: Path) -> dict[str, RtlModule]:
    """Write the three layers' hardware into a folder; layer name -> module of the same name."""
    multiplier = MULTIPLIERS[config.target.family]
    encoder, decoder = config.gru_folding("encoder"), config.gru_folding("decoder")
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "encoder": emit_gru(network.encoder, network.steps, encoder, folder, "encoder", multiplier),
        "decoder": emit_gru(network.decoder, network.steps, decoder, folder, "decoder", multiplier),
        "head": emit_dense(network.head, config.head_folding, folder, "head", multiplier),
    }


def products_a_cycle(layer: GruLayer, folding: GruFolding) -> int:
    """Products that a GRU engine can make in a cycle: of the recurrent and of the input weights."""
    recurrent = folding.pe * folding.simd
    return 3 * (recurrent + (folding.cell_pe(layer.hidden) * folding.input_simd if layer.inputs else 0))


def mac_efficiency(network: Seq2SeqNetwork, config: BuildConfig, cycles_per_pixel: float) -> float:
    """Useful multiply-accumulates of both recurrent layers over what their multipliers could have done."""
    layers = {"encoder": network.encoder, "decoder": network.decoder}
    useful = network.steps * sum(layer.macs_per_step for layer in layers.values())
    possible = sum(products_a_cycle(layer, config.gru_folding(name)) for name, layer in layers.items())
    return useful / (possible * cycles_per_pixel)
