# SPDX-License-Identifier: BSD-3-Clause
"""A whole frame of the shipped network, gate by gate, in the folding of build_configs/zcu104_gates.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finn_flirnn.codegen import DenseFolding, GruFolding
from finn_flirnn.driver.packing import from_groups
from finn_flirnn.models.checkpoints import load_checkpoint
from finn_flirnn.physics.decays import simulate as simulate_decays
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.sim import build_model, simulate
from tests.rtl.frames import Frame

DECODER_LANES = 4


@pytest.mark.campaign
@pytest.mark.timeout(7200)  # 141 million cycles for the largest frame
@pytest.mark.parametrize(("side", "decoded"), [(16, 64), (64, 400), (256, 1000)])
def test_frame_of_the_shipped_network_equals_the_oracle(tmp_path: Path, side: int, decoded: int) -> None:
    pixels = side * side
    network = load_checkpoint("seq2seqlite32_8bit").to_network()
    encoder, decoder = GruFolding(8, 8, 1, pixels, park=True), GruFolding(8, 8, 1, DECODER_LANES)
    frame = Frame(encoder, decoder, DenseFolding(3, 2), decoded)
    model = build_model(frame.emit(network, tmp_path))
    counts = simulate_decays(PAPER135, pixels, seed=11).counts
    codes = network.input_format.quantise(normalise(counts)[:, :, None])
    states = network.encoder.run(codes, network.steps)
    expected = network.run(codes[:decoded])

    outputs = {"out0_V": decoded * network.steps, "out1_V": states.size // model.module.outputs[1].elements}
    gates = codes.swapaxes(0, 1).reshape(-1, 1)
    result = simulate(model, {"in0_V": gates}, outputs, exact=False)

    assert (result.outputs["out1_V"].reshape(states.shape) == states).all()
    groups = result.outputs["out0_V"].reshape(-1, network.steps, DECODER_LANES, network.head.outputs)
    assert (from_groups(groups, decoded) == expected).all()
    given, out = result.stamps["in0_V"], result.stamps["out0_V"]
    group = network.steps * DECODER_LANES
    figures = {
        "pixels": pixels,
        "gate_cycles": float(given[-1] - given[pixels - 1]) / (network.steps - 1),
        "last_value_to_first_code": int(out[0]) - int(given[-1]),
        "last_value_to_first_pixels": int(out[group - 1]) - int(given[-1]),
        "cycles_a_decoded_pixel": result.steady_cycles("out0_V", group, skip=2) / DECODER_LANES,
        "cycles": result.cycles,
    }
    print(json.dumps(figures))
    # every gate is absorbed at the encoder's rate, 16 cycles a pixel
    assert abs(figures["gate_cycles"] / pixels - 16) < 0.01
