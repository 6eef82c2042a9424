# SPDX-License-Identifier: BSD-3-Clause
"""Our steps of FINN's builder: (model, DataflowBuildConfig) -> model.

They are named in the step list as ``finn_flirnn.build.finn_steps.<function>``. FINN's configuration
has no place for our settings, so they travel in the file that its ``folding_config_file`` names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.codegen import Multiplier
from finn_flirnn.common.files import read_json_file, write_json
from finn_flirnn.driver.order import GATES, GROUPS, PIXELS


@dataclass(frozen=True)
class FlowSettings:
    """What our steps must know: lanes C, the folding of each layer, its unrolling, copies of the pipeline,
    lanes behind the encoder (0: C), the order of the data, where states lie, the device's hard multiplier
    (empty: that of FINN's board), the folder of the stitched design (for a bitstream), whether weights can
    be loaded."""

    lanes: int
    folding: dict[str, dict[str, int]]
    unroll: dict[str, int]
    copies: int
    decoder_lanes: int = 0
    order: str = GROUPS
    ram_style: str = "auto"
    multiplier: str = ""
    design: str = ""
    runtime_weights: bool = False

    def write(self, path: Path) -> None:
        """Write the settings for ``of``."""
        write_json(path, asdict(self))

    @classmethod
    def of(cls, config: Any) -> FlowSettings:
        """The settings of a running build."""
        return cls(**read_json_file(Path(config.folding_config_file)))


def step_infer_recurrent(model: Any, config: Any) -> Any:
    """QONNX with Scans -> GRU and DenseHead for groups of C lanes, between nodes that stay on the host.

    In the order of pixels the host's Transposes become hardware; in that of gates the states of a frame
    wait in the encoder until the layers behind it, of fewer lanes, take them.
    """
    from finn_flirnn.transforms.convert import convert_to_hardware
    from finn_flirnn.transforms.infer_transposers import InferTransposers
    from finn_flirnn.transforms.park_states import ParkStates
    from finn_flirnn.transforms.split_lanes import SplitLanes

    settings = FlowSettings.of(config)
    model = convert_to_hardware(model, settings.lanes * settings.copies)
    if settings.decoder_lanes:
        model = model.transform(SplitLanes(settings.decoder_lanes))
    if settings.order == PIXELS:
        model = model.transform(InferTransposers())
    return model.transform(ParkStates()) if settings.order == GATES else model


def step_set_recurrent_folding(model: Any, config: Any) -> Any:
    """Set the folding of every layer, and the multiplier of the board's device."""
    from finn.util.basic import part_map
    from qonnx.custom_op.registry import getCustomOp

    from finn_flirnn.hwops.attributes import RUNTIME_WEIGHTS
    from finn_flirnn.transforms.folding import SetRecurrentFolding, is_recurrent_layer

    settings = FlowSettings.of(config)
    is_7_series = part_map[config.board].startswith("xc7")
    known = Multiplier.DSP48E1 if is_7_series else Multiplier.DSP48E2
    multiplier = Multiplier[settings.multiplier] if settings.multiplier else known
    model = model.transform(SetRecurrentFolding(settings.folding, multiplier))
    for node in model.get_nodes_by_op_type("GRU"):
        getCustomOp(node).set_nodeattr("ram_style", settings.ram_style)
    if settings.runtime_weights:
        for node in filter(is_recurrent_layer, model.graph.node):
            getCustomOp(node).set_nodeattr(RUNTIME_WEIGHTS, 1)
    return model


def step_unroll_and_copy(model: Any, config: Any) -> Any:
    """Unroll the layers in time and copy the whole pipeline, as the settings say."""
    from finn_flirnn.transforms.replicate_pipeline import ReplicatePipeline
    from finn_flirnn.transforms.unroll_recurrence import UnrollRecurrence

    settings = FlowSettings.of(config)
    return model.transform(UnrollRecurrence(settings.unroll)).transform(ReplicatePipeline(settings.copies))


def step_set_stream_depths(model: Any, config: Any) -> Any:
    """Say how deep FINN shall make the FIFO on each stream.

    Between two layers as both ends ask; at the borders a little against a jerky DMA.
    """
    from qonnx.custom_op.registry import getCustomOp

    from finn_flirnn.hwops.accelerator_rtl import EDGE_FIFO_DEPTH

    borders = {tensor.name for tensor in (*model.graph.input, *model.graph.output)}
    for node in model.graph.node:
        op = getCustomOp(node)
        for attribute, tensors, depths in zip(
            ("inFIFODepths", "outFIFODepths"), (node.input, node.output), op.stream_depths(), strict=True
        ):
            stated = [
                EDGE_FIFO_DEPTH if name in borders else depth
                for name, depth in zip(tensors, depths, strict=True)
            ]
            op.set_nodeattr(attribute, stated)
    return model


def step_join_design(model: Any, config: Any) -> Any:
    """Layers, FIFOs and width converters -> one node: the stitched design with its control registers.

    From here on the graph is what FINN's shell is built around. The design is the one in the settings'
    folder: the files that were simulated and that the build identifier names.
    """
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from onnx import helper
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.util.basic import qonnx_make_model

    from finn_flirnn.build.deploy import build_identifier
    from finn_flirnn.build.rtl_files import load_module
    from finn_flirnn.codegen import Resources
    from finn_flirnn.hwops.accelerator_rtl import Accelerator_rtl, accelerator_attributes
    from finn_flirnn.hwops.generated_rtl import GeneratedRtl
    from finn_flirnn.hwops.registration import RTL_DOMAIN

    core = load_module(Path(FlowSettings.of(config).design))
    (source,), (sink,) = model.graph.input, model.graph.output
    layers = [op for op in map(getCustomOp, model.graph.node) if isinstance(op, GeneratedRtl)]
    attributes = accelerator_attributes(
        core,
        build_identifier(core),
        (model.get_tensor_shape(source.name), model.get_tensor_shape(sink.name)),
        max(layer.get_exp_cycles() for layer in layers),
        sum((layer.resources() for layer in layers), Resources()),
    )
    node = helper.make_node(
        Accelerator_rtl.__name__,
        [source.name],
        [sink.name],
        f"{Accelerator_rtl.__name__}_0",
        domain=RTL_DOMAIN,
        backend="fpgadataflow",
        **attributes,
    )
    joined = ModelWrapper(qonnx_make_model(helper.make_graph([node], "accelerator", [source], [sink])))
    for name in (source.name, sink.name):
        joined.set_tensor_datatype(name, model.get_tensor_datatype(name))
    for entry in model.model.metadata_props:
        joined.set_metadata_prop(entry.key, entry.value)
    return joined.transform(PrepareIP(config._resolve_fpga_part(), config.synth_clk_period_ns))
