# SPDX-License-Identifier: BSD-3-Clause
"""The exported file: form, definition of Quant, metadata, refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.intquant import int_quant

from finn_flirnn import __version__
from finn_flirnn.export import QonnxExecutor, build_qonnx, codes_of, export_qonnx
from finn_flirnn.export.graph import QUANT_DOMAIN
from finn_flirnn.export.network import IR_VERSION, OPSET
from finn_flirnn.export.quant_function import quant_function
from finn_flirnn.numerics import Format, Reset
from tests.fakes.random_layers import random_gru, random_seq2seq

FORMATS = [
    Format(2, 1),
    Format(8, 7, narrow=True),
    Format(8, 8, signed=False),
    Format(1, 0, signed=False),
    Format(16, 3),
]


def body_of(model: onnx.ModelProto, name: str) -> onnx.GraphProto:
    node = next(node for node in model.graph.node if node.name == name)
    return next(a.g for a in node.attribute if a.type == AttributeProto.GRAPH)


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("reset", list(Reset))
def test_written_file_passes_full_check_and_loads_in_qonnx(
    tmp_path: Path, reset: Reset, batch: int | None
) -> None:
    path = tmp_path / "model.onnx"
    export_qonnx(random_seq2seq(reset=reset), path, batch=batch)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import}[""] == OPSET <= 19
    assert [n.name for n in ModelWrapper(str(path)).get_nodes_by_op_type("Scan")] == ["encoder", "decoder"]
    assert [n.name for n in model.graph.node if n.op_type == "MatMul"] == ["head"]


def test_weights_and_quantisers_lie_inside_the_body() -> None:
    body = body_of(build_qonnx(random_seq2seq()), "encoder")
    own = {t.name for t in body.initializer} | {v.name for v in body.input}
    own |= {name for node in body.node for name in node.output}
    assert {name for node in body.node for name in node.input} <= own
    quantised = {node.output[0] for node in body.node if node.op_type == "Quant"}
    assert {"encoder.weight_ih", "encoder.weight_hh", "encoder.v_n_quant", "encoder.h_next"} <= quantised


def test_activation_is_a_gather_named_after_its_function() -> None:
    body = body_of(build_qonnx(random_seq2seq()), "decoder")
    assert [n.name for n in body.node if n.op_type == "Gather"] == ["decoder.sigmoid_rz", "decoder.tanh_n"]


def test_every_name_occurs_once_in_the_whole_file() -> None:
    model = build_qonnx(random_seq2seq())
    graphs = [model.graph, body_of(model, "encoder"), body_of(model, "decoder")]
    made = [name for g in graphs for node in g.node for name in node.output]
    made += [t.name for g in graphs for t in g.initializer]
    nodes = [node.name for g in graphs for node in g.node]
    assert len(made) == len(set(made)) and len(nodes) == len(set(nodes)) and "" not in nodes


def test_metadata_hold_version_steps_formats_and_scales() -> None:
    network = random_seq2seq(steps=7)
    properties = {p.key: p.value for p in build_qonnx(network).metadata_props}
    assert properties["finn_flirnn_version"] == __version__
    assert json.loads(properties["finn_flirnn_steps"]) == 7
    assert json.loads(properties["finn_flirnn_scales"]) == {"x": 2.0**-8, "y": 2.0**-6}
    assert json.loads(properties["finn_flirnn_layers"])["encoder"]["state"]["bits"] == 8


def test_body_is_double_only_where_float32_would_round() -> None:
    kinds = {
        bits: {
            t.data_type for t in body_of(build_qonnx(random_seq2seq(state_bits=bits)), "encoder").initializer
        }
        for bits in (8, 16)
    }
    assert onnx.TensorProto.DOUBLE not in kinds[8]
    assert onnx.TensorProto.DOUBLE in kinds[16]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_quant_function_equals_the_format(fmt: Format, kind: type) -> None:
    values = np.arange(-600, 600, dtype=kind) * kind(fmt.scale / 4)
    found = run_quant(values, kind(fmt.scale), kind(0), fmt.bits, fmt.signed, fmt.narrow)
    assert np.array_equal(found, fmt.dequantise(fmt.quantise(values)))


@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
def test_quant_function_equals_qonnx_beyond_our_formats(signed: int, narrow: int) -> None:
    values = np.linspace(-9, 9, 721, dtype=np.float32)
    scale, zero = np.float32(0.3), np.float32(2)
    found = run_quant(values, scale, zero, 4, signed, narrow)
    expected = int_quant(values, scale, zero, np.float32(4), signed, narrow, "ROUND")
    assert np.array_equal(found, expected)


def run_quant(
    values: np.ndarray, scale: object, zero: object, bits: int, signed: bool, narrow: bool
) -> np.ndarray:
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    constants = {"s": np.asarray(scale), "z": np.asarray(zero), "b": np.float32(bits)}
    node = helper.make_node(
        "Quant",
        ["x", *constants],
        ["y"],
        domain=QUANT_DOMAIN,
        signed=int(signed),
        narrow=int(narrow),
        rounding_mode="ROUND",
    )
    graph = helper.make_graph(
        [node],
        "quant",
        [helper.make_tensor_value_info("x", kind, ["n"])],
        [helper.make_tensor_value_info("y", kind, ["n"])],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(QUANT_DOMAIN, 1)],
        functions=[quant_function(OPSET)],
        ir_version=IR_VERSION,
    )
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": values})[0])


def test_foreign_object_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="cannot export a dict"):
        export_qonnx({}, "unused.onnx")  # type: ignore[arg-type]


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="batch=0"):
        build_qonnx(random_seq2seq(), batch=0)
    with pytest.raises(ValueError, match="steps=9 must be the network's 7"):
        build_qonnx(random_seq2seq(steps=7), steps=9)
    with pytest.raises(ValueError, match="steps=None must be given"):
        build_qonnx(random_gru())
    with pytest.raises(ValueError, match="batch must be given"):
        build_qonnx(random_gru(inputs=0), steps=3)


def test_state_wider_than_float32_is_refused() -> None:
    with pytest.raises(ValueError, match="state of gru has 25 bits"):
        build_qonnx(random_gru(state_bits=25), steps=3)


def test_sums_beyond_double_are_refused() -> None:
    layer = random_gru()
    with pytest.raises(ValueError, match="beyond 2\\^53"):
        build_qonnx(replace(layer, bias_ih=layer.bias_ih + (1 << 54)), steps=3)


def test_executor_refuses_inputs_that_do_not_fit() -> None:
    executor = QonnxExecutor(build_qonnx(random_seq2seq(), batch=4), threads=1)
    assert executor.batch == 4 and executor.inputs == ["x"]
    with pytest.raises(ValueError, match="2 inputs given"):
        executor.run(np.zeros((4, 7, 1)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="a multiple of the batch 4"):
        executor.run(np.zeros((6, 7, 1)))


def test_values_off_the_grid_have_no_codes() -> None:
    assert codes_of([0.5, -0.25], Format(4, 2)).tolist() == [2, -1]
    with pytest.raises(ValueError, match="multiples of 0.25"):
        codes_of([0.3], Format(4, 2))
