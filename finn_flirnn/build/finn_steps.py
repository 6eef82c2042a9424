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

EDGE_FIFO_DEPTH = 32
"""Transfers buffered at the accelerator's borders: what one shift register per bit holds."""


@dataclass(frozen=True)
class FlowSettings:
    """What our steps must know: lanes C, the folding of each layer, its unrolling, copies of the pipeline,
    lanes behind the encoder (0: C), the order of the data, where states lie, the device's hard multiplier
    (empty: that of FINN's board)."""

    lanes: int
    folding: dict[str, dict[str, int]]
    unroll: dict[str, int]
    copies: int
    decoder_lanes: int = 0
    order: str = GROUPS
    ram_style: str = "auto"
    multiplier: str = ""

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

    from finn_flirnn.transforms.folding import SetRecurrentFolding

    settings = FlowSettings.of(config)
    is_7_series = part_map[config.board].startswith("xc7")
    known = Multiplier.DSP48E1 if is_7_series else Multiplier.DSP48E2
    multiplier = Multiplier[settings.multiplier] if settings.multiplier else known
    model = model.transform(SetRecurrentFolding(settings.folding, multiplier))
    for node in model.get_nodes_by_op_type("GRU"):
        getCustomOp(node).set_nodeattr("ram_style", settings.ram_style)
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
