# SPDX-License-Identifier: BSD-3-Clause
"""Pixels become groups of lanes and groups become pixels, whole or not, under stalls and resets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import Direction, Instance, Link, RtlModule, Transposer, emit_transposer, stitch
from finn_flirnn.codegen.transposer import LIVE_DEPTH, transposer_resources
from finn_flirnn.driver.packing import from_groups, to_groups
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.sim import build_model, simulate
from finn_flirnn.synth import synthesise
from tests.rtl.harness import STALLS

SHAPES = [(1, 1, 1, 1), (3, 4, 2, 1), (4, 1, 3, 3), (5, 7, 4, 2)]
"""(lanes, steps, features, elements)"""
FORM = Format(5, 2)


def _codes(pixels: int, steps: int, features: int) -> Codes:
    return np.random.default_rng(pixels).integers(-16, 16, (pixels, steps, features))


def _pair(directory: Path, lanes: int, steps: int, features: int, elements: int) -> RtlModule:
    """Gatherer and scatterer, one behind the other."""
    both = [
        Transposer(direction, steps, lanes, features, elements, FORM, partial=True) for direction in Direction
    ]
    gather, scatter = (emit_transposer(t, directory, t.direction) for t in both)
    links = [
        Link(("gather", "out0_V"), ("scatter", "in0_V")),
        Link(("gather", "out1_V"), ("scatter", "in1_V"), LIVE_DEPTH),
    ]
    return stitch(directory, "pair", [Instance("gather", gather), Instance("scatter", scatter)], links)


@pytest.mark.parametrize(("lanes", "steps", "features", "elements"), SHAPES)
def test_transposers_reorder_whole_groups_at_one_transfer_a_cycle(
    tmp_path: Path, lanes: int, steps: int, features: int, elements: int
) -> None:
    pixels = _codes(6 * lanes, steps, features)
    orders = {Direction.GATHER: pixels, Direction.SCATTER: to_groups(pixels, lanes)}
    for direction, given in orders.items():
        transposer = Transposer(direction, steps, lanes, features, elements, FORM)
        model = build_model(emit_transposer(transposer, tmp_path, direction))
        (expected,) = (order for other, order in orders.items() if other != direction)
        data, wanted = given.reshape(-1, elements), expected.reshape(-1, elements)
        for seed, stalls in enumerate(STALLS):
            found = simulate(model, {"in0_V": data}, {"out0_V": len(wanted)}, stalls=stalls, seed=seed)
            assert (found.outputs["out0_V"] == wanted).all()
        quick = simulate(model, {"in0_V": data}, {"out0_V": len(wanted)})
        if transposer.cycles > 4:  # shorter groups wait for their FIFO's latency
            assert quick.steady_cycles("out0_V", transposer.cycles, skip=1) == transposer.cycles


@pytest.mark.parametrize(("lanes", "steps", "features", "elements"), SHAPES)
def test_as_many_pixels_leave_as_came_and_the_last_is_marked(
    tmp_path: Path, lanes: int, steps: int, features: int, elements: int
) -> None:
    model = build_model(_pair(tmp_path, lanes, steps, features, elements))
    a_pixel = steps * features // elements
    batches = [*range(1, 2 * lanes + 2), 1, 1, lanes]
    data = _codes(sum(batches), steps, features).reshape(-1, elements)
    ends = np.zeros(len(data), dtype=bool)
    ends[np.cumsum(batches) * a_pixel - 1] = True
    for seed, stalls in enumerate(STALLS):
        for reset_at in (None, 9):
            found = simulate(
                model, {"in0_V": data}, {"out0_V": len(data)}, ends={"in0_V": ends},
                stalls=stalls, seed=seed, reset_at=reset_at,
            )  # fmt: skip
            assert (found.outputs["out0_V"] == data).all()
            assert (found.ends["out0_V"] == ends).all()


def test_lanes_that_no_pixel_came_for_are_zero(tmp_path: Path) -> None:
    lanes, steps = 4, 3
    model = build_model(
        emit_transposer(Transposer(Direction.GATHER, steps, lanes, 1, 1, FORM, True), tmp_path, "gather")
    )
    pixels = _codes(11, steps, 1)
    ends = np.zeros(33, dtype=bool)
    ends[-1] = True
    expected = to_groups(pixels, lanes)
    found = simulate(model, {"in0_V": pixels.reshape(-1, 1)}, {"out0_V": expected.size, "out1_V": 3},
                     ends={"in0_V": ends}, stalls=0.4)  # fmt: skip
    assert (found.outputs["out0_V"] == expected.reshape(-1, 1)).all()
    assert found.outputs["out1_V"].ravel().tolist() == [3, 3, 2 + (1 << 2)]
    assert (from_groups(expected, 11) == pixels).all()


def test_transposer_takes_the_block_ram_that_is_estimated(tmp_path: Path) -> None:
    transposer = Transposer(Direction.GATHER, 135, 4, 1, 1, Format(8, 8, signed=False))
    found = synthesise(emit_transposer(transposer, tmp_path, "t"), "xcup")
    estimate = transposer_resources(transposer)
    assert found.bram36 == estimate.bram36 == 0.5
    assert abs(found.lut - estimate.lut) <= 0.2 * found.lut
    assert abs(found.ff - estimate.ff) <= 0.2 * found.ff
