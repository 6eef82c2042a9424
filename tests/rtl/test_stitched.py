# SPDX-License-Identifier: BSD-3-Clause
"""The stitched design equals the network, whatever the foldings on both sides of a link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import DenseFolding, GruFolding, Instance, Link, RtlModule, emit_dense, stitch
from finn_flirnn.numerics import Reset, Seq2SeqNetwork
from finn_flirnn.sim import build_model, simulate
from tests.rtl.harness import STALLS
from tests.rtl.layers import GruCase, interleave, random_dense

STEPS, LANES = 6, 3


def _design(
    directory: Path, encoder: GruCase, decoder: GruCase, head: DenseFolding
) -> tuple[Seq2SeqNetwork, RtlModule]:
    rng = np.random.default_rng(6)
    decoder_layer = decoder.layer(rng)
    network = Seq2SeqNetwork(
        STEPS,
        encoder.layer(rng),
        decoder_layer,
        random_dense(rng, decoder.hidden, 3, decoder_layer.formats.state),
    )
    instances = [
        Instance("encoder", encoder.emit(network.encoder, directory, "encoder")),
        Instance("decoder", decoder.emit(network.decoder, directory, "decoder")),
        Instance("head", emit_dense(network.head, head, directory, "head")),
    ]
    links = [
        Link(("encoder", "out0_V"), ("decoder", "in0_V"), depth=16),
        Link(("decoder", "out0_V"), ("head", "in0_V")),
    ]
    return network, stitch(directory, "top", instances, links)


@pytest.mark.parametrize(
    ("encoder", "decoder", "head"),
    [
        (GruFolding(6, 6, 1, LANES), GruFolding(6, 6, 1, LANES), DenseFolding(3, 3)),
        (GruFolding(4, 6, 1, LANES), GruFolding(12, 3, 1, LANES), DenseFolding(1, 12)),
        (GruFolding(12, 12, 1, LANES), GruFolding(2, 2, 1, LANES), DenseFolding(3, 2)),
    ],
)
@pytest.mark.parametrize("reset", list(Reset))
def test_stitched_design_equals_the_network(
    tmp_path: Path, encoder: GruFolding, decoder: GruFolding, head: DenseFolding, reset: Reset
) -> None:
    common = {"hidden": 12, "steps": STEPS, "reset": reset, "state_bits": 7}
    network, module = _design(
        tmp_path,
        GruCase(folding=encoder, sequence=False, **common),
        GruCase(folding=decoder, inputs=0, initial_state=True, **common),
        head,
    )
    model = build_model(module)
    x = np.random.default_rng(1).integers(0, 256, (5 * LANES, STEPS, 1))
    expected = interleave(network.run(x), LANES).reshape(-1, head.pe)
    for seed, stalls in enumerate(STALLS):
        given = simulate(
            model,
            {"in0_V": interleave(x, LANES).reshape(-1, 1)},
            {"out0_V": len(expected)},
            stalls=stalls,
            seed=seed,
        )
        assert (given.outputs["out0_V"] == expected).all()


def test_links_that_cannot_be_are_refused(tmp_path: Path) -> None:
    case = GruCase(4, GruFolding(2, 2, 1, 2))
    layer = case.layer(np.random.default_rng(0))
    module = case.emit(layer, tmp_path)
    with pytest.raises(ValueError, match="is not a port"):
        stitch(tmp_path, "top", [Instance("a", module)], [Link(("a", "out1_V"), ("a", "in0_V"))])
    with pytest.raises(ValueError, match="make them equal"):
        stitch(tmp_path, "top", [Instance("a", module)], [Link(("a", "out0_V"), ("a", "in0_V"))])
    with pytest.raises(ValueError, match="must differ"):
        stitch(tmp_path, "top", [Instance("a", module), Instance("a", module)], [])
    fed = replace(case, initial_state=True)
    consumer = fed.emit(fed.layer(np.random.default_rng(0)), tmp_path, "consumer")
    link = Link(("a", "out0_V"), ("b", "in1_V"))
    with pytest.raises(ValueError, match="linked 2 times"):
        stitch(tmp_path, "top", [Instance("a", module), Instance("b", consumer)], [link, link])
