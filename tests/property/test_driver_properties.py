# SPDX-License-Identifier: BSD-3-Clause
"""What the driver takes: any real numbers, in any layout; anything else is refused before it is sent."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn_flirnn.driver import Accelerator, SimulatedDevice
from finn_flirnn.physics.preprocess import normalise

STEPS, DARK_GATES = 12, 4
REAL = [np.dtype(code) for code in (*np.typecodes["AllInteger"], *np.typecodes["Float"])]
OTHER = [np.dtype(code) for code in ("?", "F", "D", "O", "S4", "U4", "M8[s]", "m8[s]")]


@pytest.fixture(scope="module")
def fakes() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        return importlib.import_module("oracle_engine")


@pytest.fixture(scope="module")
def network(fakes: ModuleType) -> Any:
    return fakes.small_network(STEPS)


@pytest.fixture(scope="module")
def accelerator(fakes: ModuleType, network: Any) -> Accelerator:
    meta = fakes.metadata_of(network, 2)
    return Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta)))


@settings(deadline=None, max_examples=60)
@given(
    pixels=st.integers(0, 5),
    seed=st.integers(0, 99),
    dtype=st.sampled_from(REAL),
    swapped=st.booleans(),
    order=st.sampled_from("CF"),
    stride=st.integers(1, 2),
)
def test_counts_of_any_real_type_and_layout_give_the_oracles_components(
    accelerator: Accelerator,
    network: Any,
    pixels: int,
    seed: int,
    dtype: np.dtype[Any],
    swapped: bool,
    order: Any,
    stride: int,
) -> None:
    counts = np.random.default_rng(seed).integers(0, 101, (pixels, STEPS))
    codes = network.input_format.quantise(normalise(counts, DARK_GATES))[:, :, np.newaxis]
    expected = network.output_format.dequantise(network.run(codes)).astype(np.float32)
    room = np.zeros((pixels * stride, STEPS), dtype.newbyteorder() if swapped else dtype, order=order)
    room[::stride] = counts
    found = accelerator.infer(room[::stride])
    assert found.dtype == np.float32 and found.shape == (pixels, STEPS, 3)
    assert np.array_equal(found, expected)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), dtype=st.sampled_from(REAL))
def test_normalised_decays_of_any_real_type_are_quantised_alone(
    accelerator: Accelerator, network: Any, seed: int, dtype: np.dtype[Any]
) -> None:
    """Integers can be 0 and 1 only; a half is a half in every floating type."""
    values = np.random.default_rng(seed).integers(0, 3, (2, STEPS)) / 2
    values = (values.astype(int) if dtype.kind in "iu" else values).astype(dtype)
    codes = network.input_format.quantise(values.astype(np.float64))[:, :, np.newaxis]
    expected = network.output_format.dequantise(network.run(codes)).astype(np.float32)
    assert np.array_equal(accelerator.infer(values, normalised=True), expected)


@pytest.mark.parametrize("dtype", OTHER, ids=str)
@pytest.mark.parametrize("normalised", [False, True])
def test_what_is_not_real_is_refused(
    accelerator: Accelerator, dtype: np.dtype[Any], normalised: bool
) -> None:
    with pytest.raises(ValueError, match="must be real numbers"):
        accelerator.infer(np.zeros((2, STEPS), dtype), normalised=normalised)


@settings(deadline=None, max_examples=40)
@given(
    dtype=st.sampled_from([d for d in REAL if d.kind == "f"]),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, -1.0]),
    place=st.integers(0, 2 * STEPS - 1),
    normalised=st.booleans(),
)
def test_one_value_that_cannot_be_is_found_wherever_it_is(
    accelerator: Accelerator, dtype: np.dtype[Any], bad: float, place: int, normalised: bool
) -> None:
    values = np.zeros((2, STEPS), dtype)
    values.flat[place] = bad
    with pytest.raises(ValueError, match="must be finite|must not be negative"):
        accelerator.infer(values, normalised=normalised)


@pytest.mark.parametrize("shape", [(STEPS,), (2, STEPS - 1), (2, STEPS + 1), (2, 2, STEPS), ()])
def test_other_shapes_are_refused(accelerator: Accelerator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be|gates"):
        accelerator.infer(np.zeros(shape))
