# SPDX-License-Identifier: BSD-3-Clause
"""FINN's RTL simulation on Verilator: FINN's own ops, unchanged, against their Python execution."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.sim import SimulationError
from finn_flirnn.sim.xsi.compiling import compile_sim_obj
from finn_flirnn.sim.xsi.design import INPUT, OUTPUT, Design, Kernel

RTL = Path(__file__).parents[1] / "fakes" / "rtl"
PART, CLOCK_NS = "xczu7ev-ffvc1156-2-e", 5.0
DOMAIN = "finn.custom_op.fpgadataflow"


@pytest.fixture(scope="module", autouse=True)
def finn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with mock.patch.dict(os.environ):
        prepare_finn(tmp_path_factory.mktemp("finn"))
        yield


def one_node(
    op_type: str, shape: list[int], datatypes: tuple[str, str], weights: Any = None, **attrs: Any
) -> Any:
    """A model of one hardware op, x -> y, weights INT8 if it has any."""
    from onnx import TensorProto, helper
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.basic import qonnx_make_model

    names = ["x"] if weights is None else ["x", "weights"]
    attrs |= {"domain": DOMAIN, "backend": "fpgadataflow", "preferred_impl_style": "rtl"}
    node = helper.make_node(op_type, names, ["y"], **attrs)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "g", values[:1], values[1:])))
    for name, datatype in zip(("x", "y"), datatypes, strict=True):
        model.set_tensor_datatype(name, DataType[datatype])
    if weights is not None:
        model.set_initializer("weights", weights)
        model.set_tensor_datatype("weights", DataType["INT8"])
    return model


def prepared(model: Any) -> Any:
    """The op's RTL, compiled."""
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.prepare_rtlsim import PrepareRTLSim
    from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.transformation.general import GiveUniqueNodeNames

    for step in (SpecializeLayers(PART), GiveUniqueNodeNames(), PrepareIP(PART, CLOCK_NS), PrepareRTLSim()):
        model = model.transform(step)
    return model.transform(SetExecMode("rtlsim"))


def check_against_python(model: Any, x: np.ndarray) -> int:
    """Compare simulation and Python; returns the number of simulated cycles."""
    from finn.core.onnx_exec import execute_onnx
    from qonnx.custom_op.registry import getCustomOp

    expected = execute_onnx(model, {"x": x})["y"]
    hardware = prepared(model)
    assert np.array_equal(execute_onnx(hardware, {"x": x})["y"], expected)
    return int(getCustomOp(hardware.graph.node[0]).get_nodeattr("cycles_rtlsim"))


@pytest.mark.parametrize(("in_width", "out_width"), [(16, 48), (48, 16), (16, 24)])
def test_finns_width_converter_simulates_as_it_executes(in_width: int, out_width: int) -> None:
    model = one_node(
        "StreamingDataWidthConverter",
        [1, 24],
        ("INT8", "INT8"),
        inShape=[1, 24],
        outShape=[1, 24],
        inWidth=in_width,
        outWidth=out_width,
        dataType="INT8",
    )
    x = np.random.default_rng(in_width).integers(-128, 128, (1, 24)).astype(np.float32)
    assert check_against_python(model, x) >= 24 * 8 // min(in_width, out_width)


@pytest.mark.parametrize("pe", [1, 2, 8])
def test_finns_thresholding_simulates_as_it_executes(pe: int) -> None:
    rng = np.random.default_rng(pe)
    model = one_node(
        "Thresholding",
        [4, 8],
        ("INT8", "UINT4"),
        np.sort(rng.integers(-128, 128, (8, 15)), axis=1).astype(np.float32),
        NumChannels=8,
        PE=pe,
        numSteps=15,
        inputDataType="INT8",
        weightDataType="INT8",
        outputDataType="UINT4",
        numInputVectors=[4],
    )
    assert check_against_python(model, rng.integers(-128, 128, (4, 8)).astype(np.float32)) >= 4 * 8 // pe


def test_finns_fifo_keeps_the_order_of_words() -> None:
    from qonnx.custom_op.registry import getCustomOp

    words = np.random.default_rng(0).integers(0, 1 << 16, 100).tolist()
    model = prepared(
        one_node(
            "StreamingFIFO",
            [1, 200],
            ("INT8", "INT8"),
            depth=32,
            folded_shape=[1, 100, 2],
            normal_shape=[1, 200],
            dataType="INT8",
        )
    )
    # FINN executes a FIFO in Python also in this mode, so its engine is called directly
    node = getCustomOp(model.graph.node[0])
    streams: dict[str, dict[str, list[int]]] = {"inputs": {"in0": words}, "outputs": {"out0": []}}
    simulation = node.get_rtlsim()
    node.reset_rtlsim(simulation)
    node.rtlsim_multi_io(simulation, streams)
    node.close_rtlsim(simulation)
    assert streams["outputs"]["out0"] == words
    assert not simulation.is_open()


def opened(name: str, directory: Path) -> Design:
    base, relative = compile_sim_obj(name, [str(RTL / f"{name}.sv")], directory)
    return Design(Kernel("any"), str(base / relative), None, None)


def test_ports_read_and_write_as_finns_binding_does(tmp_path: Path) -> None:
    design = opened("wide_adder", tmp_path)
    data, ready = design.getPort("in0_V_TDATA"), design.getPort("in0_V_TREADY")
    assert (data.name(), data.width(), data.dir(), ready.dir()) == ("in0_V_TDATA", 104, INPUT, OUTPUT)
    assert data.isInput() and not data.isOutput() and ready.isOutput()
    assert data.set_hexstr("9fa42b4a3").as_hexstr() == f"{0x9FA42B4A3:026X}"
    assert data.as_unsigned() == 0xFA42B4A3 and data.as_bool() and not data.isZero()
    assert data.set_binstr("101").as_binstr() == "101".zfill(104)
    assert data.set(1 << 104).isZero()
    data.set(5).write_back()
    assert data.clear().isZero() and data.read().as_unsigned() == 5
    assert {port.name() for port in design.ports()} >= {"ap_clk", "ap_rst_n", "out0_V_TVALID"}
    assert design.num_ports() == len(list(design.ports()))
    with pytest.raises(RuntimeError, match="no port ap_clk2x"):
        design.getPort("ap_clk2x")
    design.close()


def test_a_restarted_design_has_forgotten_its_state(tmp_path: Path) -> None:
    design = opened("one_register", tmp_path)
    for name in ("ap_rst_n", "in0_V_TVALID", "ap_clk"):
        design.getPort(name).set(1).write_back()
        design.run(1)
    valid = design.getPort("out0_V_TVALID")
    assert valid.read().as_bool()
    design.restart()
    design.run(1)
    assert not valid.read().as_bool()
    design.close()


def test_a_closed_design_refuses_to_run(tmp_path: Path) -> None:
    design = opened("one_register", tmp_path)
    design.close()
    with pytest.raises(SimulationError, match="closed"):
        design.run(1)


def test_waveforms_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="leave rtlsim_trace empty"):
        opened("one_register", tmp_path).trace_all()


@pytest.mark.parametrize(
    ("sources", "fifosim", "message"),
    [(["top.vhd"], False, r"top\.vhd cannot be simulated"), (["top.v"], True, "FIFO sizing")],
)
def test_what_verilator_cannot_simulate_is_refused(
    sources: list[str], fifosim: bool, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=message):
        compile_sim_obj("top", sources, tmp_path, fifosim=fifosim)
