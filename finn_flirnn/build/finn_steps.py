# SPDX-License-Identifier: BSD-3-Clause
"""Our steps of FINN's builder: (model, DataflowBuildConfig) -> model.

They are named in the step list as ``finn_flirnn.build.finn_steps.<function>``. FINN's configuration
has no place for our settings, so they travel in the file that its ``folding_config_file`` names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.build.files import read_json_file, write_json

EDGE_FIFO_DEPTH = 32
"""Transfers buffered at the accelerator's borders: what one shift register per bit holds."""


@dataclass(frozen=True)
class FlowSettings:
    """What our steps must know: lanes C and the folding of each layer."""

    lanes: int
    folding: dict[str, dict[str, int]]

    def write(self, path: Path) -> None:
        """Write the settings for ``of``."""
        write_json(path, asdict(self))

    @classmethod
    def of(cls, config: Any) -> FlowSettings:
        """The settings of a running build."""
        return cls(**read_json_file(Path(config.folding_config_file)))


def step_infer_recurrent(model: Any, config: Any) -> Any:
    """QONNX with Scans -> GRU and DenseHead for groups of C lanes, between nodes that stay on the host."""
    from finn_flirnn.transforms.convert import convert_to_hardware

    return convert_to_hardware(model, FlowSettings.of(config).lanes)


def step_set_recurrent_folding(model: Any, config: Any) -> Any:
    """Set the folding of every layer, and the multiplier of the board's device."""
    from finn.util.basic import part_map

    from finn_flirnn.codegen import Multiplier
    from finn_flirnn.transforms.folding import SetRecurrentFolding

    is_7_series = part_map[config.board].startswith("xc7")
    multiplier = Multiplier.DSP48E1 if is_7_series else Multiplier.DSP48E2
    return model.transform(SetRecurrentFolding(FlowSettings.of(config).folding, multiplier))


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
