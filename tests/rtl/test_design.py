# SPDX-License-Identifier: BSD-3-Clause
"""A FINN graph of our ops becomes one stitched module, by what the graph says alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.hwops.design import emit_design
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.sim import build_model, simulate
from tests.fakes import finn_graphs
from tests.rtl.layers import interleave

STEPS, LANES, HIDDEN = 5, 3, 4


def _specialised(model: Any) -> Any:
    register()
    for node in model.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    return model


def test_the_graph_is_the_design(tmp_path: Path) -> None:
    network = finn_graphs.random_network(1, STEPS, HIDDEN, 3)
    model = _specialised(finn_graphs.network_model(network, LANES))
    encoder, decoder, _ = (getCustomOp(node) for node in model.graph.node)
    encoder.set_nodeattr("outFIFODepths", [7])
    decoder.set_nodeattr("inFIFODepths", [9])
    design = emit_design(model, tmp_path, "top")
    assert [layer.name for layer in design.layers] == ["encoder", "decoder", "head"]
    assert [(link.source, link.target, link.depth) for link in design.links] == [
        (("encoder", "out0_V"), ("decoder", "in0_V"), 9),
        (("decoder", "out0_V"), ("head", "in0_V"), 2),
    ]
    x = finn_graphs.random_codes(np.random.default_rng(2), network.input_format, 4 * LANES, STEPS, 1)
    expected = interleave(network.run(x), LANES).reshape(-1, 1)
    given = {"in0_V": interleave(x, LANES).reshape(-1, 1)}
    result = simulate(build_model(design.top), given, {"out0_V": len(expected)}, stalls=0.3)
    assert (result.outputs["out0_V"] == expected).all()


def test_equal_nodes_share_a_module_whatever_their_names_and_depths(tmp_path: Path) -> None:
    layer = finn_graphs.random_gru(1, HIDDEN, 2)
    model = finn_graphs.gru_model(layer, STEPS, LANES)
    other = finn_graphs.gru_model(layer, STEPS, LANES, outFIFODepths=[8])
    different = finn_graphs.gru_model(layer, STEPS, LANES, SIMD=2)
    for number, twin in ((2, other), (3, different)):
        node = twin.graph.node[0]
        node.name, node.input[0], node.output[0] = f"gru{number}", f"x{number}", f"y{number}"
        model.graph.node.append(node)
        for values, value in (
            (model.graph.input, twin.graph.input[0]),
            (model.graph.output, twin.graph.output[0]),
        ):
            value.name += str(number)
            values.append(value)
    design = emit_design(_specialised(model), tmp_path, "top")
    assert [layer.module.top for layer in design.layers] == ["gru", "gru", "gru3"]
    assert [layer.name for layer in design.distinct_layers] == ["gru", "gru3"]
    assert [port.name for port in design.top.inputs] == ["in0_V", "in1_V", "in2_V"]


def test_the_tops_streams_are_in_the_graphs_order(tmp_path: Path) -> None:
    layer = finn_graphs.random_gru(1, HIDDEN, 2, initial_state=True)
    model = _specialised(finn_graphs.gru_model(layer, STEPS, LANES))
    model.graph.input.append(model.graph.input[0])
    del model.graph.input[0]
    design = emit_design(model, tmp_path, "top")
    assert [port.format for port in design.top.inputs] == [layer.formats.state, layer.formats.input]


def test_graphs_that_cannot_be_stitched_are_refused(tmp_path: Path) -> None:
    network = finn_graphs.random_network(1, STEPS, HIDDEN, 3)
    abstract = finn_graphs.network_model(network, LANES)
    with pytest.raises(ValueError, match="encoder is a GRU; only RTL ops"):
        emit_design(abstract, tmp_path, "top")
    model = _specialised(abstract)
    model.graph.node.append(model.graph.node[2])
    model.graph.node[3].name = "twin"
    with pytest.raises(ValueError, match="states goes to head and to twin; put a Fork"):
        emit_design(model, tmp_path, "top")
    del model.graph.node[3], model.graph.node[0]
    with pytest.raises(ValueError, match="x, at the graph's border, is read by no node"):
        emit_design(model, tmp_path, "top")
