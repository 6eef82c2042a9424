# SPDX-License-Identifier: BSD-3-Clause
"""A finished design as one FINN node: what FINN is told of it, and what it emits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finn.util.basic import getHWCustomOp
from onnx import helper

from finn_flirnn.codegen import Resources, RtlModule
from finn_flirnn.hwops.accelerator_rtl import EDGE_FIFO_DEPTH, accelerator_attributes
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from tests.fakes.finn_graphs import random_network
from tests.rtl.loading import HIDDEN, LANES, STEPS, emit_loadable_design, loadable_graph

BUILD = "0123456789abcdef"
IN_SHAPE, OUT_SHAPE = (1, STEPS, LANES, 1), (1, STEPS, LANES, 3)
RESOURCES = Resources(lut=10, ff=20, dsp=3, bram36=1.5, uram=1)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> RtlModule:
    """A stitched design whose weights can be loaded."""
    graph = loadable_graph(random_network(1, STEPS, HIDDEN, 3))
    return emit_loadable_design(graph, tmp_path_factory.mktemp("core")).top


def op_of(core: RtlModule) -> Any:
    register()
    attributes = accelerator_attributes(core, BUILD, (IN_SHAPE, OUT_SHAPE), 123, RESOURCES)
    node = helper.make_node(
        "Accelerator_rtl", ["x"], ["y"], "Accelerator_rtl_0", domain=RTL_DOMAIN, backend="fpgadataflow",
        **attributes,
    )  # fmt: skip
    return getHWCustomOp(node)


def test_a_node_says_what_the_design_is(core: RtlModule) -> None:
    op = op_of(core)
    found = op.core
    assert (found.top, found.inputs, found.outputs, found.idle) == (
        core.top,
        core.inputs,
        core.outputs,
        core.idle,
    )
    assert found.sources == tuple((core.directory / path).resolve() for path in core.sources)
    assert (op.get_exp_cycles(), op.resources()) == (123, RESOURCES)
    assert (op.get_normal_input_shape(), op.get_normal_output_shape()) == ([*IN_SHAPE], [*OUT_SHAPE])
    assert op.get_nodeattr("inFIFODepths") == op.get_nodeattr("outFIFODepths") == [EDGE_FIFO_DEPTH]


def test_finn_is_told_of_the_registers_beside_the_streams(core: RtlModule) -> None:
    names = op_of(core).get_verilog_top_module_intf_names()
    assert names["axilite"] == ["s_axi_control"]
    assert (names["s_axis"], names["m_axis"]) == ([("in0_V", 8)], [("out0_V", 8 * core.outputs[0].elements)])


def test_the_emitted_module_joins_loader_and_registers(core: RtlModule, tmp_path: Path) -> None:
    op = op_of(core)
    op.set_nodeattr("code_gen_dir_ipgen", str(tmp_path))
    op.generate_hdl(None, "", 4.0)
    text = (tmp_path / "Accelerator_rtl_0.v").read_text()
    assert f".build(64'h{BUILD})" in text and "control_registers #(.LOADS(1'b1))" in text
    assert ".load_V_TDATA(load_data)" in text
    commands = op.code_generation_ipi()
    assert commands[-1] == "create_bd_cell -type module -reference Accelerator_rtl_0 Accelerator_rtl_0"
    added = {command.split()[-1] for command in commands[:-1]}
    assert {str((core.directory / path).resolve()) for path in core.sources} < added
    assert any(path.endswith("control_registers.sv") for path in added)


def test_a_node_cannot_be_executed_and_says_what_can(core: RtlModule) -> None:
    with pytest.raises(RuntimeError, match="execute the graph that it was made of"):
        op_of(core).run_oracle([])


def test_a_design_with_other_streams_is_refused(core: RtlModule) -> None:
    two = replace(core, inputs=(*core.inputs, *core.inputs))
    with pytest.raises(ValueError, match="one input and one output stream"):
        op_of(two)
