# SPDX-License-Identifier: BSD-3-Clause
"""Unrolled and replicated graphs compute what they computed before, node by node in FINN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from finn_flirnn.hwops.registration import register
from finn_flirnn.numerics import Reset
from finn_flirnn.transforms import ConversionError
from finn_flirnn.transforms.replicate_pipeline import ReplicatePipeline
from finn_flirnn.transforms.unroll_recurrence import UnrollRecurrence
from tests.fakes import finn_graphs

STEPS, HIDDEN = 10, 4

pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def registered() -> None:
    register()


def inputs_of(model: Any, seed: int = 3) -> dict[str, Any]:
    """Random codes for a graph's inputs."""
    rng, given = np.random.default_rng(seed), {}
    for node in model.graph.node:
        for name, stream in zip(node.input, getCustomOp(node).input_streams(), strict=True):
            if name in {value.name for value in model.graph.input}:
                codes = finn_graphs.random_codes(rng, stream.format, *stream.shape)
                given[name] = codes.astype(np.float32)
    return given


def ops(model: Any, op_type: str) -> list[Any]:
    return [getCustomOp(node) for node in model.get_nodes_by_op_type(op_type)]


@pytest.mark.parametrize("factor", [1, 2, 5, STEPS])
@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize(
    ("inputs", "sequence", "initial"), [(2, False, False), (0, True, True), (2, True, True), (1, True, False)]
)
def test_an_unrolled_layer_computes_the_same(
    factor: int, reset: Reset, inputs: int, sequence: bool, initial: bool
) -> None:
    layer = finn_graphs.random_gru(1, HIDDEN, inputs, reset, sequence, initial)
    model = finn_graphs.gru_model(layer, STEPS, 3, PE=2, SIMD=2)
    given = inputs_of(model)
    expected = execute_onnx(model, given)["y"]
    unrolled = model.transform(UnrollRecurrence(factor))
    assert [op.steps for op in ops(unrolled, "GRU")] == [STEPS // factor] * factor
    assert np.array_equal(execute_onnx(unrolled, given)["y"], expected)


@pytest.mark.parametrize("unroll", [{}, {"encoder": 5}, {"encoder": 2, "decoder": 5}])
@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("copies_first", [True, False])
def test_a_network_computes_the_same_in_any_number_of_copies_and_parts(
    unroll: dict[str, int], copies: int, copies_first: bool
) -> None:
    model = finn_graphs.network_model(finn_graphs.random_network(1, STEPS, HIDDEN, 3), lanes=6)
    given = inputs_of(model)
    expected = execute_onnx(model, given)["y"]
    if copies_first:
        changed = model.transform(ReplicatePipeline(copies))
        every = {f"{name}{c}": f for name, f in unroll.items() for c in ["", *_suffixes(copies)]}
        changed = changed.transform(UnrollRecurrence(every))
    else:
        changed = model.transform(UnrollRecurrence(unroll)).transform(ReplicatePipeline(copies))
    assert len(ops(changed, "DenseHead")) == copies
    assert np.array_equal(execute_onnx(changed, given)["y"], expected)
    assert all(op.lanes == 6 // copies for op in ops(changed, "GRU"))


def _suffixes(copies: int) -> list[str]:
    return [f"_copy{k}" for k in range(1, copies)]


def test_all_streams_have_shapes_and_datatypes_which_inference_keeps() -> None:
    model = finn_graphs.network_model(finn_graphs.random_network(1, STEPS, HIDDEN, 3), lanes=6)
    model = model.transform(UnrollRecurrence(2)).transform(ReplicatePipeline(2))
    stated = {v.name: model.get_tensor_shape(v.name) for v in model.graph.value_info}
    names = {v.name: model.get_tensor_datatype(v.name) for v in model.graph.value_info}
    model = model.transform(InferShapes()).transform(InferDataTypes())
    assert {name: model.get_tensor_shape(name) for name in stated} == stated
    assert {name: model.get_tensor_datatype(name) for name in names} == names
    every = {name for node in model.graph.node for name in node.output}
    assert every - {"y"} == set(stated)


def test_factors_and_copies_that_do_not_divide_are_refused_with_those_that_do() -> None:
    model = finn_graphs.network_model(finn_graphs.random_network(1, STEPS, HIDDEN, 3), lanes=6)
    with pytest.raises(ConversionError, match=r"factor=3; choose factor from \[1, 2, 5, 10\]"):
        model.transform(UnrollRecurrence(3))
    with pytest.raises(ValueError, match=r"no GRU is named coder; choose from \['encoder', 'decoder'\]"):
        model.transform(UnrollRecurrence({"coder": 2}))
    with pytest.raises(ConversionError, match=r"copies=4; choose copies from \[1, 2, 3, 6\]"):
        model.transform(ReplicatePipeline(4))
    with pytest.raises(ValueError, match="copies=0 must be at least 1"):
        ReplicatePipeline(0)


def test_fifos_hold_the_parts_that_wait_for_their_engine() -> None:
    layer = finn_graphs.random_gru(1, HIDDEN, 2)
    model = finn_graphs.gru_model(layer, STEPS, 3, PE=2, SIMD=2).transform(UnrollRecurrence(5))
    (deal,), (collect,) = ops(model, "Deal"), ops(model, "Collect")
    part = 2 * 3 * 2 // deal.whole.elements
    assert deal.stream_depths() == ([2], [part * n for n in (1, 2, 3, 4, 5)])
    part = 2 * 3 * HIDDEN // collect.whole.elements
    assert collect.stream_depths() == ([part * n for n in (5, 4, 3, 2, 1)], [2])
