# SPDX-License-Identifier: BSD-3-Clause
"""The chosen folding is the optimum over all foldings, fits, and runs as fast as it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import (
    DenseFolding,
    GruFolding,
    Multiplier,
    Resources,
    dense_cycles,
    estimate_dense,
    estimate_gru,
    folding_search,
    gru_cycles,
)
from finn_flirnn.codegen.folding_search import choose_folding, gru_multipliers, least_lanes
from finn_flirnn.codegen.types import divisors
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.checkpoints import load_checkpoint
from finn_flirnn.numerics import GruLayer, Reset, Seq2SeqNetwork
from finn_flirnn.sim import build_model, simulate
from tests.rtl.layers import GruCase, random_dense

ZCU104 = Resources(lut=230_400, ff=460_800, dsp=1_728, bram36=312, uram=96)
DSP48E2 = Multiplier.DSP48E2


def cases(hidden: int, inputs: int, steps: int, reset: Reset = Reset.AFTER) -> tuple[GruCase, GruCase]:
    """Encoder and decoder."""
    return (
        GruCase(hidden, GruFolding(), inputs=inputs, steps=steps, reset=reset, sequence=False),
        GruCase(hidden, GruFolding(), inputs=0, steps=steps, reset=reset, initial_state=True),
    )


def random_network(hidden: int, inputs: int, steps: int, reset: Reset = Reset.AFTER) -> Seq2SeqNetwork:
    rng = np.random.default_rng(4)
    encoder, decoder = (case.layer(rng) for case in cases(hidden, inputs, steps, reset))
    return Seq2SeqNetwork(steps, encoder, decoder, random_dense(rng, hidden, 3, decoder.formats.state))


def fits(used: Resources, limits: Resources) -> bool:
    return all(
        getattr(used, kind) <= getattr(limits, kind) for kind in ("lut", "ff", "dsp", "bram36", "uram")
    )


def every_folding(network: Seq2SeqNetwork) -> list[tuple[int, Resources]]:
    """Cycles a pixel and resources of every folding of the network, without any short cut."""
    steps, layers = network.steps, list(network.recurrent.values())
    price = cache(lambda index, folding: estimate_gru(layers[index], steps, folding))
    least = cache(lambda index, folding: least_lanes(layers[index], steps, folding, DSP48E2))
    time_of = cache(lambda index, folding: gru_cycles(layers[index], steps, folding))
    head_cost = cache(lambda folding: estimate_dense(network.head, folding))
    choices = [
        product(divisors(layer.hidden), divisors(layer.hidden), divisors(max(layer.inputs, 1)))
        for layer in layers
    ]
    heads = product(divisors(network.head.outputs), divisors(network.head.inputs))
    found = []
    for *recurrent, head in product(*choices, heads):
        foldings = list(enumerate(GruFolding(*sizes) for sizes in recurrent))
        lanes = max(least(*folding) for folding in foldings)
        foldings = [(index, replace(folding, lanes=lanes)) for index, folding in foldings]
        group = max(
            *(time_of(*folding) for folding in foldings),
            dense_cycles(network.head, network.output_steps * lanes, DenseFolding(*head)),
        )
        total = sum((price(*folding) for folding in foldings), head_cost(DenseFolding(*head)))
        assert group % lanes == 0
        found.append((group // lanes, total))
    return found


@pytest.fixture(scope="module")
def small() -> tuple[Seq2SeqNetwork, list[tuple[int, Resources]]]:
    network = random_network(hidden=6, inputs=2, steps=5)
    return network, every_folding(network)


@pytest.fixture(scope="module")
def seq2seqlite() -> Seq2SeqNetwork:
    return load_checkpoint("seq2seqlite32_8bit").to_network()


def test_seq2seqlite_takes_at_most_2600_cycles_with_220_dsps(seq2seqlite: Seq2SeqNetwork) -> None:
    limits = replace(ZCU104, dsp=220)
    choice = choose_folding(seq2seqlite, DSP48E2, limits)
    assert choice.cycles_per_pixel <= 2_600
    assert fits(choice.resources, limits)


def test_choice_tells_the_cycles_and_resources_of_its_folding(seq2seqlite: Seq2SeqNetwork) -> None:
    steps, choice = seq2seqlite.steps, choose_folding(seq2seqlite, Multiplier.DSP48E1, ZCU104, 4_320)
    layers = ((seq2seqlite.encoder, choice.encoder), (seq2seqlite.decoder, choice.decoder))
    groups = [gru_cycles(layer, steps, folding, Multiplier.DSP48E1) for layer, folding in layers]
    groups.append(dense_cycles(seq2seqlite.head, steps * choice.lanes, choice.head))
    assert max(groups) == choice.cycles_per_pixel * choice.lanes <= 4_320 * choice.lanes
    total = estimate_dense(seq2seqlite.head, choice.head, Multiplier.DSP48E1)
    for layer, folding in layers:
        total += estimate_gru(layer, steps, folding, Multiplier.DSP48E1)
    assert total == choice.resources


def test_no_layer_is_faster_than_the_slowest_needs(seq2seqlite: Seq2SeqNetwork) -> None:
    choice = choose_folding(seq2seqlite, DSP48E2, replace(ZCU104, dsp=220))
    work = [
        gru_cycles(seq2seqlite.encoder, seq2seqlite.steps, choice.encoder),
        gru_cycles(seq2seqlite.decoder, seq2seqlite.steps, choice.decoder),
        dense_cycles(seq2seqlite.head, seq2seqlite.steps * choice.lanes, choice.head),
    ]
    assert min(work) * 2 > max(work)  # the next slower folding of a power of two takes twice as long


def test_one_lane_fewer_would_wait_for_the_ring(seq2seqlite: Seq2SeqNetwork) -> None:
    choice = choose_folding(seq2seqlite, DSP48E2, replace(ZCU104, dsp=220))
    fewer = replace(choice.decoder, lanes=choice.lanes - 1)
    cycles = gru_cycles(seq2seqlite.decoder, seq2seqlite.steps, fewer) / fewer.lanes
    assert choice.lanes > 1
    assert cycles > choice.cycles_per_pixel


@pytest.mark.parametrize(
    "limits",
    [
        ZCU104,
        replace(ZCU104, dsp=60),
        replace(ZCU104, lut=3_600),
        replace(ZCU104, dsp=90, ff=5_000, bram36=4),
    ],
    ids=["board", "dsp", "lut", "dsp, ff and block RAM"],
)
def test_choice_equals_the_best_of_every_folding(
    small: tuple[Seq2SeqNetwork, list[tuple[int, Resources]]], limits: Resources
) -> None:
    network, every = small
    fitting = [(cycles, cost) for cycles, cost in every if fits(cost, limits)]
    fastest = min(cycles for cycles, _ in fitting)
    assert choose_folding(network, DSP48E2, limits).cycles_per_pixel == fastest
    for target in sorted({cycles for cycles, _ in fitting}):
        best = min((cost.dsp, cost.lut) for cycles, cost in fitting if cycles <= target)
        choice = choose_folding(network, DSP48E2, limits, target)
        assert (choice.resources.dsp, choice.resources.lut) == best
        assert choice.cycles_per_pixel <= target
        assert fits(choice.resources, limits)


@pytest.mark.parametrize(
    ("hidden", "decoder"),
    [((2, 2), True), ((3, 4), False), ((6,), False)],
    ids=["2x2", "3x4 alone", "6 alone"],
)
def test_choice_for_a_stack_equals_the_best_of_every_folding(hidden: tuple[int, ...], decoder: bool) -> None:
    network = Seq2SeqLite(hidden, 2, steps=5, decoder=decoder).to_network()
    every = every_folding(network)
    for target in sorted({cycles for cycles, _ in every}):
        best = min((cost.dsp, cost.lut) for cycles, cost in every if cycles <= target)
        choice = choose_folding(network, DSP48E2, ZCU104, target)
        assert (choice.resources.dsp, choice.resources.lut) == best
        assert choice.cycles_per_pixel <= target
        assert list(choice.recurrent) == list(network.recurrent)


@pytest.mark.parametrize("multiplier", list(Multiplier))
@pytest.mark.parametrize("reset", list(Reset))
def test_multipliers_are_those_of_the_estimate(reset: Reset, multiplier: Multiplier) -> None:
    network = random_network(hidden=6, inputs=2, steps=5, reset=reset)
    for pe, simd, input_simd in product(divisors(6), divisors(6), divisors(2)):
        folding = GruFolding(pe, simd, input_simd, lanes=2)
        estimated = estimate_gru(network.encoder, 5, folding, multiplier)
        assert gru_multipliers(network.encoder, folding, multiplier) == estimated.dsp


def test_a_target_out_of_reach_tells_the_best_that_fits(seq2seqlite: Seq2SeqNetwork) -> None:
    limits = replace(ZCU104, dsp=220)
    best = choose_folding(seq2seqlite, DSP48E2, limits)
    with pytest.raises(
        ValueError, match=rf"at most 600 .* best that fits takes {best.cycles_per_pixel} cycles"
    ):
        choose_folding(seq2seqlite, DSP48E2, limits, 600)


def test_limits_that_nothing_fits_tell_the_smallest(
    small: tuple[Seq2SeqNetwork, list[tuple[int, Resources]]],
) -> None:
    network, every = small
    least = min(cost.dsp for _, cost in every)
    with pytest.raises(
        ValueError, match=rf"even its smallest folding takes \d+ cycles a pixel with {least} DSP"
    ):
        choose_folding(network, DSP48E2, replace(ZCU104, dsp=least - 1))


def test_of_64_units_few_foldings_are_estimated_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(hidden=64, inputs=4, steps=135)
    estimated: list[GruFolding] = []

    def counted(layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier) -> Resources:
        estimated.append(folding)
        return estimate_gru(layer, steps, folding, multiplier)

    monkeypatch.setattr(folding_search, "estimate_gru", counted)
    choose_folding(network, DSP48E2, ZCU104)
    # an estimate takes tens of milliseconds, so the search may make one for a few of all foldings only
    sizes = len(divisors(64)) ** 2
    assert 0 < len(estimated) <= (sizes * len(divisors(4)) + sizes) / 6


@pytest.mark.parametrize("reset", list(Reset))
def test_chosen_cycles_are_those_of_the_simulation(tmp_path: Path, reset: Reset) -> None:
    network = random_network(hidden=8, inputs=1, steps=10, reset=reset)
    choice = choose_folding(network, DSP48E2, replace(ZCU104, dsp=80))
    rng = np.random.default_rng(6)
    case = replace(cases(8, 1, 10, reset)[1], folding=choice.decoder)
    model = build_model(case.emit(network.decoder, tmp_path))
    inputs, expected = case.data(network.decoder, groups=5, rng=rng)
    result = simulate(model, inputs, {"out0_V": len(expected)})
    simulated = result.steady_cycles("out0_V", len(expected) // 5, skip=1) / choice.lanes
    assert abs(choice.cycles_per_pixel / simulated - 1) <= 0.05
