# SPDX-License-Identifier: BSD-3-Clause
"""The three orders of data: the same network as hardware that takes pixels, groups or gates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from finn_flirnn.driver.packing import from_groups, to_groups
from finn_flirnn.export import export_qonnx
from finn_flirnn.hwops.design import Design, emit_design
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.numerics import Codes, Seq2SeqNetwork
from finn_flirnn.sim import VerilatedModel, build_model, simulate
from finn_flirnn.transforms.conversion_error import ConversionError
from finn_flirnn.transforms.convert import convert_to_hardware
from finn_flirnn.transforms.end_anywhere import EndAnywhere
from finn_flirnn.transforms.infer_transposers import InferTransposers
from finn_flirnn.transforms.keep_dataflow import KeepDataflow
from finn_flirnn.transforms.park_states import ParkStates
from finn_flirnn.transforms.split_lanes import SplitLanes
from tests.fakes import finn_graphs
from tests.rtl.harness import STALLS

STEPS, HIDDEN, OUTPUTS = 5, 4, 3


@pytest.fixture(scope="module")
def network() -> Seq2SeqNetwork:
    """Encoder, decoder, head of random weights."""
    register()
    return finn_graphs.random_network(1, STEPS, HIDDEN, OUTPUTS)


def _converted(network: Seq2SeqNetwork, directory: Path, lanes: int, *steps: Any) -> ModelWrapper:
    path = directory / "model.onnx"
    export_qonnx(network, path)
    model = convert_to_hardware(ModelWrapper(str(path)), lanes)
    for step in steps:
        model = model.transform(step)
    return model


def _design(model: ModelWrapper, directory: Path, *steps: Any) -> Design:
    model = model.transform(KeepDataflow())
    for node in model.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    for step in steps:
        model = model.transform(step)
    return emit_design(model, directory / "rtl", "top")


def _codes(network: Seq2SeqNetwork, pixels: int) -> Codes:
    return finn_graphs.random_codes(np.random.default_rng(pixels), network.input_format, pixels, STEPS, 1)


@pytest.mark.parametrize(
    ("lanes", "steps"),
    [
        (3, (InferTransposers(),)),
        (6, (ParkStates(), SplitLanes(2))),
        (6, (ParkStates(), SplitLanes(3), InferTransposers())),
    ],
    ids=["pixels", "gates", "gates in, pixels out"],
)
def test_converted_graph_executes_as_the_oracle_in_every_order(
    network: Seq2SeqNetwork, tmp_path: Path, lanes: int, steps: tuple[Any, ...]
) -> None:
    model = _converted(network, tmp_path, lanes, *steps)
    codes = _codes(network, lanes)
    real = network.input_format.dequantise(codes).astype(np.float32)
    (found,) = execute_onnx(model, {model.graph.input[0].name: real}).values()
    assert (found == network.output_format.dequantise(network.run(codes))).all()


def _sent(model: VerilatedModel, batches: list[Codes]) -> tuple[Codes, Codes]:
    """Pixels of several transfers one behind the other, and which transfers end one."""
    data = np.concatenate(batches).reshape(-1, model.module.inputs[0].elements)
    ends = np.zeros(len(data), dtype=bool)
    ends[np.cumsum([len(b) for b in batches]) * STEPS - 1] = True
    return data, ends


def test_any_number_of_pixels_comes_back_in_the_order_of_pixels(
    network: Seq2SeqNetwork, tmp_path: Path
) -> None:
    lanes = 4
    model = _converted(network, tmp_path, lanes, InferTransposers())
    design = _design(model, tmp_path, EndAnywhere())
    assert [layer.name for layer in design.layers][:: len(design.layers) - 1] == ["gather", "scatter"]
    simulated = build_model(design.top)
    batches = [_codes(network, count) for count in (1, 2, 3, 4, 5, 1, 1, 9)]
    data, ends = _sent(simulated, batches)
    expected = network.run(np.concatenate(batches))
    for seed, stalls in enumerate(STALLS):
        result = simulate(
            simulated, {"in0_V": data}, {"out0_V": expected.size}, ends={"in0_V": ends},
            stalls=stalls, seed=seed,
        )  # fmt: skip
        assert (result.outputs["out0_V"].reshape(expected.shape) == expected).all()
        assert (np.flatnonzero(result.ends["out0_V"]) == (np.flatnonzero(ends) + 1) * OUTPUTS - 1).all()


@pytest.mark.parametrize(("frame", "lanes"), [(8 * 8, 4), (5 * 7, 5), (3, 1), (130, 2)])
def test_frames_gate_by_gate_give_groups_of_the_decoder(
    network: Seq2SeqNetwork, tmp_path: Path, frame: int, lanes: int
) -> None:
    model = _converted(network, tmp_path, frame, ParkStates(), SplitLanes(lanes))
    simulated = build_model(_design(model, tmp_path).top)
    codes = _codes(network, 3 * frame)
    gates, expected = to_groups(codes, frame), network.run(codes)
    for seed, stalls in enumerate(STALLS[:2]):
        result = simulate(
            simulated, {"in0_V": gates.reshape(-1, 1)}, {"out0_V": expected.size}, stalls=stalls, seed=seed
        )
        groups = result.outputs["out0_V"].reshape(-1, STEPS, lanes, OUTPUTS)
        assert (from_groups(groups, len(codes)) == expected).all()


def test_lanes_that_do_not_divide_the_frame_are_refused(network: Seq2SeqNetwork, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"lanes=35 must be a multiple of the 4 .*\[1, 5, 7, 35\]"):
        _converted(network, tmp_path, 35, SplitLanes(4))
