# SPDX-License-Identifier: BSD-3-Clause
"""Routers, and the pipelines that they make, equal the oracle under any stalls, at the rate they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.build.finn_steps import step_set_stream_depths
from finn_flirnn.codegen import gru_cycles
from finn_flirnn.hwops.attributes import format_to_text
from finn_flirnn.hwops.design import emit_design
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.numerics import Codes, Format, Reset
from finn_flirnn.sim import VerilatedModel, build_model, simulate
from finn_flirnn.transforms.replicate_pipeline import ReplicatePipeline
from finn_flirnn.transforms.unroll_recurrence import UnrollRecurrence
from tests.fakes import finn_graphs
from tests.rtl.harness import STALLS
from tests.rtl.layers import interleave

FMT = Format(5, 3)


def _router(op_type: str, **attributes: Any) -> Any:
    from onnx import helper

    register()
    node = helper.make_node(
        f"{op_type}_rtl", [], [], name="router", domain=RTL_DOMAIN, backend="fpgadataflow"
    )
    for key, value in {
        "backend": "fpgadataflow",
        "fmt": format_to_text(FMT),
        "steps": 0,
        **attributes,
    }.items():
        node.attribute.append(helper.make_attribute(key, value))
    return getCustomOp(node)


ROUTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "deal in time": ("Deal", {"steps": 6, "lanes": 2, "features": 4, "elements": 2, "parts": 3}),
    "deal words of lanes": ("Deal", {"lanes": 5, "features": 1, "elements": 1, "parts": 5, "axis": "lanes"}),
    "collect in time": ("Collect", {"steps": 6, "lanes": 2, "features": 4, "elements": 2, "parts": 3}),
    "collect lanes": (
        "Collect",
        {"steps": 3, "lanes": 4, "features": 8, "elements": 8, "parts": 4, "axis": "lanes"},
    ),
    "fork of three": ("Fork", {"lanes": 2, "features": 3, "elements": 1, "parts": 3}),
    "last step": ("LastStep", {"steps": 4, "lanes": 2, "features": 3, "elements": 1}),
    "last of one step": ("LastStep", {"steps": 1, "lanes": 2, "features": 3, "elements": 3}),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_router_equals_its_function_under_stalls_and_after_a_reset(tmp_path: Path, name: str) -> None:
    op_type, attributes = ROUTERS[name]
    op = _router(op_type, **attributes)
    model = build_model(op.emit(tmp_path, "router"), optimisation=0)
    rng = np.random.default_rng(4)
    given = [finn_graphs.random_codes(rng, FMT, 20, *s.shape[1:]) for s in op.input_streams()]
    expected = op.run_oracle(given)
    elements = op.whole.elements
    inputs = {f"in{i}_V": codes.reshape(-1, elements) for i, codes in enumerate(given)}
    outputs = {f"out{i}_V": codes.reshape(-1, elements) for i, codes in enumerate(expected)}
    counts = {name: len(codes) for name, codes in outputs.items()}
    uneven = {name: 0.8 * (i % 2) for i, name in enumerate((*inputs, *outputs))}
    for seed, stalls in enumerate((*STALLS, uneven)):
        result = simulate(model, inputs, counts, stalls=stalls, seed=seed)
        assert all((result.outputs[name] == outputs[name]).all() for name in outputs)
    result = simulate(model, inputs, counts, stalls=0.3, reset_at=17)
    assert all((result.outputs[name] == outputs[name]).all() for name in outputs)


def test_deal_and_collect_move_a_word_a_cycle(tmp_path: Path) -> None:
    for op_type in ("Deal", "Collect"):
        op = _router(op_type, steps=6, lanes=2, features=4, elements=2, parts=3)
        model = build_model(op.emit(tmp_path / op_type, "router"), optimisation=0)
        rng = np.random.default_rng(4)
        given = [finn_graphs.random_codes(rng, FMT, 50, *s.shape[1:]) for s in op.input_streams()]
        result = simulate(
            model,
            {f"in{i}_V": codes.reshape(-1, 2) for i, codes in enumerate(given)},
            {f"out{i}_V": codes.size // 2 for i, codes in enumerate(op.run_oracle(given))},
        )
        assert result.cycles <= 50 * op.get_exp_cycles() + 10


def _hardware(model: Any, folder: Path) -> VerilatedModel:
    """The stitched design of an abstract graph, with the depths that a build sets."""
    for node in model.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    design = emit_design(step_set_stream_depths(model, None), folder, "top")
    return build_model(design.top, optimisation=0)


def _run(model: VerilatedModel, given: dict[str, Codes], expected: Codes, **settings: Any) -> Any:
    elements = {port.name: port.elements for port in (*model.module.inputs, *model.module.outputs)}
    wanted = expected.reshape(-1, elements["out0_V"])
    inputs = {name: codes.reshape(-1, elements[name]) for name, codes in given.items()}
    result = simulate(model, inputs, {"out0_V": len(wanted)}, **settings)
    assert (result.outputs["out0_V"] == wanted).all()
    return result


@pytest.mark.parametrize(
    ("inputs", "sequence", "initial", "reset", "factor"),
    [
        (2, False, False, Reset.AFTER, 2),
        (2, True, True, Reset.BEFORE, 5),
        (0, True, True, Reset.AFTER, 10),
    ],
)
def test_an_unrolled_layer_equals_the_oracle_at_factor_times_the_rate(
    tmp_path: Path, inputs: int, sequence: bool, initial: bool, reset: Reset, factor: int
) -> None:
    register()
    steps, lanes, groups = 10, 6, 2 * factor + 6
    layer = finn_graphs.random_gru(1, 4, inputs, reset, sequence, initial)
    model = finn_graphs.gru_model(layer, steps, lanes)
    op = getCustomOp(model.graph.node[0])
    one_engine = gru_cycles(layer, steps, op.folding)
    rng = np.random.default_rng(7)
    codes = [finn_graphs.random_codes(rng, s.format, groups, *s.shape[1:]) for s in op.input_streams()]
    given = {f"in{i}_V": c for i, c in enumerate(codes)}
    (expected,) = op.run_oracle(codes)
    hardware = _hardware(model.transform(UnrollRecurrence(factor)), tmp_path)
    for seed, stalls in enumerate(STALLS[1:]):
        _run(hardware, given, expected, stalls=stalls, seed=seed)
    _run(hardware, given, expected, stalls=0.2, reset_at=200)
    result = _run(hardware, given, expected)
    simulated = result.steady_cycles("out0_V", len(result.outputs["out0_V"]) // groups, skip=factor + 2)
    assert simulated == pytest.approx(one_engine / factor, rel=0.005)


@pytest.mark.parametrize(("unroll", "copies"), [({}, 3), ({"encoder": 5, "decoder": 2}, 2)])
def test_copies_of_a_network_keep_the_pixels_order_at_the_rate_of_the_slowest_layer(
    tmp_path: Path, unroll: dict[str, int], copies: int
) -> None:
    register()
    steps, lanes, groups = 10, 12, 12
    network = finn_graphs.random_network(1, steps, 4, 3)
    model = finn_graphs.network_model(network, lanes)
    changed = model.transform(UnrollRecurrence(unroll)).transform(ReplicatePipeline(copies))
    hardware = _hardware(changed, tmp_path)
    x = finn_graphs.random_codes(np.random.default_rng(1), network.input_format, groups * lanes, steps, 1)
    given, expected = {"in0_V": interleave(x, lanes)}, interleave(network.run(x), lanes)
    for seed, stalls in enumerate(STALLS[1:]):
        _run(hardware, given, expected, stalls=stalls, seed=seed)
    result = _run(hardware, given, expected)
    slowest = max(getCustomOp(node).get_exp_cycles() for node in changed.graph.node)
    simulated = result.steady_cycles("out0_V", len(result.outputs["out0_V"]) // groups, skip=6)
    assert simulated == pytest.approx(slowest, rel=0.01)
