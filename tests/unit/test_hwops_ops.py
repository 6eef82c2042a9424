# SPDX-License-Identifier: BSD-3-Clause
"""GRU and DenseHead as FINN sees them: execution, shapes, widths, datatypes, refusals, generated files."""

import importlib
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from finn.util.basic import getHWCustomOp
from qonnx.core.datatype import DataType
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import get_ops_in_domain, getCustomOp
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from finn_flirnn.hwops.registration import DOMAIN, RTL_DOMAIN, register
from finn_flirnn.numerics import Reset


@pytest.fixture(scope="module")
def graphs() -> ModuleType:
    register()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        return importlib.import_module("finn_graphs")


def op_of(model: Any) -> Any:
    return getHWCustomOp(model.graph.node[0])


def inputs_for(graphs: ModuleType, model: Any, seed: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    op = op_of(model)
    return {
        name: graphs.random_codes(rng, stream.format, *stream.shape)
        for name, stream in zip(model.graph.node[0].input, op.input_streams(), strict=True)
    }


def run(model: Any, codes: dict[str, Any]) -> Any:
    return execute_onnx(model, {name: value.astype(np.float32) for name, value in codes.items()})["y"]


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize(
    ("initial", "hidden", "inputs", "lanes", "bits"),
    [(False, 3, 2, 1, 8), (True, 3, 2, 2, 8), (True, 4, 0, 3, 5), (False, 1, 1, 2, 12)],
)
def test_a_gru_node_executes_as_the_oracle(
    graphs: ModuleType,
    reset: Reset,
    sequence: bool,
    initial: bool,
    hidden: int,
    inputs: int,
    lanes: int,
    bits: int,
) -> None:
    layer = graphs.random_gru(1, hidden, inputs, reset, sequence, initial, bits)
    model = graphs.gru_model(layer, 4, lanes)
    codes = inputs_for(graphs, model)
    x = np.swapaxes(codes["x"][0], 0, 1) if inputs else None
    expected = layer.run(x, 4, codes["h0"][0] if initial else None, batch=lanes)
    result = run(model, codes)[0]
    assert np.array_equal(np.swapaxes(result, 0, 1) if sequence else result, expected)


def test_a_dense_node_executes_as_the_oracle(graphs: ModuleType) -> None:
    layer = graphs.random_dense(2, 3, 5)
    model = graphs.dense_model(layer, 3, 2)
    codes = inputs_for(graphs, model)
    assert np.array_equal(run(model, codes), layer.run(codes["x"]))


@pytest.mark.parametrize(
    ("folding", "x_folded", "state_folded"),
    [
        ({"PE": 1, "SIMD": 1, "InputSIMD": 1}, [1, 5, 3, 4, 1], [12, 1]),
        ({"PE": 4, "SIMD": 6, "InputSIMD": 2}, [1, 5, 3, 2, 2], [6, 2]),
        ({"PE": 12, "SIMD": 12, "InputSIMD": 4}, [1, 5, 3, 1, 4], [1, 12]),
    ],
)
def test_streams_carry_input_simd_inputs_and_cell_pe_states(
    graphs: ModuleType, folding: dict[str, int], x_folded: list[int], state_folded: list[int]
) -> None:
    op = op_of(graphs.gru_model(graphs.random_gru(3, 12, 4, initial_state=True, bits=7), 5, 3, **folding))
    assert op.get_folded_input_shape(0) == x_folded
    assert op.get_folded_input_shape(1) == [1, 3, *state_folded]
    assert op.get_folded_output_shape() == [1, 5, 3, *state_folded]
    assert op.get_instream_width(0) == 7 * x_folded[-1]
    assert op.get_instream_width(1) == op.get_outstream_width() == 7 * state_folded[-1]
    assert op.get_outstream_width_padded() == math.ceil(7 * state_folded[-1] / 8) * 8
    assert op.get_number_output_values() == 5 * 3 * state_folded[0]
    assert op.get_input_datatype(0) == DataType["UINT7"]
    assert op.get_input_datatype(1) == op.get_output_datatype() == DataType["INT7"]


def test_without_input_the_initial_state_is_the_first_stream(graphs: ModuleType) -> None:
    op = op_of(graphs.gru_model(graphs.random_gru(3, 4, 0, initial_state=True), 5, 2, PE=2, SIMD=2))
    assert op.get_normal_input_shape(0) == [1, 2, 4]
    assert op.get_verilog_top_module_intf_names()["s_axis"] == [("in0_V", 8)]


def test_a_dense_node_streams_simd_inputs_and_pe_outputs(graphs: ModuleType) -> None:
    op = op_of(graphs.dense_model(graphs.random_dense(2, 6, 8, bits=5), 3, 2, PE=3, SIMD=4))
    assert op.get_folded_input_shape() == [1, 3, 2, 2, 4]
    assert op.get_folded_output_shape() == [1, 3, 2, 2, 3]
    names = op.get_verilog_top_module_intf_names()
    assert (names["s_axis"], names["m_axis"]) == ([("in0_V", 24)], [("out0_V", 16)])


def test_shapes_and_datatypes_follow_through_a_graph(graphs: ModuleType) -> None:
    model = graphs.network_model(graphs.random_network(1, 5, 4, 3, bits=6), 2)
    model = model.transform(InferShapes()).transform(InferDataTypes())
    assert model.get_tensor_shape("states") == [1, 5, 2, 4]
    assert model.get_tensor_datatype("state") == DataType["INT6"]
    assert model.get_tensor_datatype("y") == DataType["INT6"]


def test_an_input_of_wider_datatype_is_refused_by_name(graphs: ModuleType) -> None:
    model = graphs.gru_model(graphs.random_gru(1, 3, 1), 4, 1)
    model.set_tensor_datatype("x", DataType["INT9"])
    with pytest.raises(ValueError, match="gru: input x is INT9, but the layer takes UINT8"):
        model.transform(InferDataTypes())


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.5, "x must hold integer codes"), (256.0, "x holds codes"), (-1.0, "x holds codes")],
)
def test_values_that_are_no_codes_of_the_input_are_refused(
    graphs: ModuleType, value: float, message: str
) -> None:
    model = graphs.gru_model(graphs.random_gru(1, 3, 1), 4, 1)
    context = {"x": np.full((1, 4, 1, 1), value, dtype=np.float32)}
    with pytest.raises(ValueError, match=message):
        op_of(model).execute_node(context, model.graph)


def test_a_stream_too_wide_for_finns_float_containers_is_refused(graphs: ModuleType) -> None:
    op = op_of(graphs.dense_model(graphs.random_dense(2, 2, 2, bits=25), 3, 2))
    with pytest.raises(ValueError, match="at most 24 bits"):
        op.get_instream_width()


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        ({"PE": 5}, r"hidden=12 must be a multiple of pe=5; choose pe from \[1, 2, 3, 4, 6, 12\]"),
        ({"SIMD": 7}, "multiple of simd=7"),
        ({"InputSIMD": 3}, "inputs=4 must be a multiple of input_simd=3"),
    ],
)
def test_a_folding_that_does_not_divide_is_refused(
    graphs: ModuleType, folding: dict[str, int], message: str
) -> None:
    op = op_of(graphs.gru_model(graphs.random_gru(3, 12, 4), 5, 3, **folding))
    with pytest.raises(ValueError, match=message):
        op.get_folded_output_shape()


def test_operations_and_parameters_are_counted(graphs: ModuleType) -> None:
    gru = op_of(graphs.gru_model(graphs.random_gru(3, 4, 2, bits=6), 5, 3))
    assert gru.get_op_and_param_counts() == {
        "op_mac_6bx6b": 3 * 4 * (4 + 2) * 5 * 3,
        "param_weight_6b": 3 * 4 * (4 + 2),
        "param_bias": 2 * 3 * 4,
        "param_table": 2 * 2**6,
    }
    dense = op_of(graphs.dense_model(graphs.random_dense(3, 3, 4), 5, 2))
    assert dense.get_op_and_param_counts()["op_mac_8bx8b"] == 3 * 4 * 5 * 2


@pytest.mark.parametrize("folding", [{}, {"PE": 4, "SIMD": 4}])
def test_estimates_reach_finn_in_its_own_units(graphs: ModuleType, folding: dict[str, int]) -> None:
    op = op_of(graphs.gru_model(graphs.random_gru(3, 4, 2), 5, 3, **folding))
    resources, report = op.resources(), op.node_res_estimation("xczu7ev-ffvc1156-2-e")
    assert report["BRAM_18K"] == math.ceil(2 * resources.bram36)
    assert (report["LUT"], report["FF"], report["DSP"]) == (resources.lut, resources.ff, resources.dsp)
    assert resources.dsp > 0


def test_registration_is_idempotent_and_complete() -> None:
    register()
    register()
    assert {"GRU", "DenseHead"} <= dict(get_ops_in_domain(DOMAIN)).keys()
    assert {"GRU_rtl", "DenseHead_rtl"} <= dict(get_ops_in_domain(RTL_DOMAIN)).keys()


def rtl_op(model: Any, directory: Path) -> Any:
    node = model.graph.node[0]
    node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    op = getCustomOp(node)
    op.set_nodeattr("code_gen_dir_ipgen", str(directory))
    return op


def test_an_rtl_node_knows_its_files_after_generation(graphs: ModuleType, tmp_path: Path) -> None:
    model = graphs.gru_model(graphs.random_gru(3, 4, 2, initial_state=True, bits=5), 5, 3, PE=2, SIMD=2)
    rtl_op(model, tmp_path).generate_hdl(model, "xczu7ev-ffvc1156-2-e", 5.0)
    op = getCustomOp(model.graph.node[0])
    sources = [Path(path) for path in op.get_rtl_file_list(abspath=True)]
    assert all(path.is_file() for path in sources)
    assert [path.name for path in sources] == op.get_rtl_file_list()
    assert sources[-1] == tmp_path / "gru.v"
    assert op.get_nodeattr("ip_path") == op.get_nodeattr("ipgen_path") == str(tmp_path)
    module = op.rtl_module()
    assert [(p.name, p.bits, p.padded_bits) for p in (*module.inputs, *module.outputs)] == [
        ("in0_V", 5, 8),
        ("in1_V", 5 * module.inputs[1].elements, 8),
        ("out0_V", 5 * module.inputs[1].elements, 8),
    ]


def test_the_tcl_has_three_words_a_file_and_a_verilog_top(graphs: ModuleType, tmp_path: Path) -> None:
    model = graphs.dense_model(graphs.random_dense(3, 3, 4), 5, 2)
    rtl_op(model, tmp_path).generate_hdl(model, "xczu7ev-ffvc1156-2-e", 5.0)
    *files, cell = getCustomOp(model.graph.node[0]).code_generation_ipi()
    assert all(len(line.split()) == 3 and Path(line.split()[2]).is_file() for line in files)
    assert cell == "create_bd_cell -type module -reference head head"
    # Vivado takes a module into a block design by reference only from a Verilog file
    assert "module head (" in (tmp_path / "head.v").read_text()


def test_hardware_is_refused_before_generation(graphs: ModuleType, tmp_path: Path) -> None:
    op = rtl_op(graphs.dense_model(graphs.random_dense(3, 3, 4), 5, 2), tmp_path)
    with pytest.raises(ValueError, match="head has no hardware yet"):
        op.rtl_module()
