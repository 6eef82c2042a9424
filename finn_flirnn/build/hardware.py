# SPDX-License-Identifier: BSD-3-Clause
"""The hardware of a build, made from the graph that FINN's flow has made of the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.rtl_files import WEIGHTS
from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.codegen import GruFolding, RtlModule
from finn_flirnn.common.files import read_json_file
from finn_flirnn.numerics import GruLayer, Seq2SeqNetwork

if TYPE_CHECKING:  # these import FINN, which prepare_finn must come before
    from finn_flirnn.hwops.design import Design

TOP = "finn_flirnn_top"


def emit_hardware(
    context: BuildContext, folder: Path, *, frame: int | None = None, partial: bool = False
) -> Design:
    """Write the hardware of a build's converted graph into a folder, the top module called TOP.

    frame: pixels of a frame, instead of the configuration's. partial: in the order of pixels, a transfer
    may end within a group.
    """
    frame = None if frame == context.config.group_pixels else frame
    return emit_built(context.output, folder, frame=frame, partial=partial)


def emit_built(output: Path, folder: Path, *, frame: int | None = None, partial: bool = False) -> Design:
    """``emit_hardware`` for the build in a folder; frame: pixels of a frame, if not the build's."""
    prepare_finn(output / STAGING / "finn")
    from qonnx.core.modelwrapper import ModelWrapper

    from finn_flirnn.hwops.design import emit_design
    from finn_flirnn.transforms.end_anywhere import EndAnywhere
    from finn_flirnn.transforms.set_frame import SetFrame

    found = read_json_file(output / PARTS / "finn.json")
    model = ModelWrapper(str(output / found["hardware"]))
    if frame is not None:
        model = model.transform(SetFrame(frame))
    if partial:
        model = model.transform(EndAnywhere())
    return emit_design(model, folder, TOP)


def write_built_in_weights(design: Design, folder: Path) -> None:
    """Write the image of a design's own weights into a folder, if weights can be loaded."""
    from finn_flirnn.hwops.design import writable_layers
    from finn_flirnn.hwops.weights import built_in_image

    if writable_layers(design):
        (folder / WEIGHTS).write_bytes(built_in_image(design))


def group_transfers(core: RtlModule, network: Seq2SeqNetwork, pixels: int) -> tuple[int, int]:
    """Transfers of a group of pixels on a core's input and on its output.

    Raises ValueError if a group does not fill whole transfers.
    """
    (source,), (sink,) = core.inputs, core.outputs
    codes = network.steps * network.encoders[0].inputs, network.output_steps * network.head.outputs
    for port, count in zip((source, sink), codes, strict=True):
        if pixels * count % port.elements:
            raise ValueError(
                f"{pixels * count} codes of a group must fill whole transfers of {port.elements} on "
                f"{port.name}; choose a folding that divides the features"
            )
    return pixels * codes[0] // source.elements, pixels * codes[1] // sink.elements


def mac_efficiency(design: Design, group_cycles: float) -> float:
    """Useful multiply-accumulates of the recurrent layers over what their multipliers could have done.

    group_cycles: of the whole design, for one group of the graph, in steady state.
    """
    useful = possible = 0
    for op in (layer.op for layer in design.layers if layer.op.onnx_node.op_type.startswith("GRU")):
        useful += op.layer.macs_per_step * op.steps * op.folding.lanes * op.groups
        possible += products_a_cycle(op.layer, op.folding)
    return useful / (possible * group_cycles)


def products_a_cycle(layer: GruLayer, folding: GruFolding) -> int:
    """Products that a GRU engine can make in a cycle: of the recurrent and of the input weights."""
    recurrent = folding.pe * folding.simd
    return 3 * (recurrent + (folding.cell_pe(layer.hidden) * folding.input_simd if layer.inputs else 0))
