# SPDX-License-Identifier: BSD-3-Clause
"""Another number of pixels a frame, for simulation."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen.types import RamStyle


class SetFrame(Transformation):  # type: ignore[misc]
    """Let a graph of RTL ops take frames of ``pixels`` pixels instead of more, on the same kind of memory.

    before: x (1, T, C, I) -> GRU_rtl(C) -> (C/m, m, H) -> GRU_rtl(m, groups=C/m) -> DenseHead_rtl(m, C/m)
    after:  the same with ``pixels`` in the place of C

    A cycle-accurate simulation of a camera's frame takes an hour; this one differs from it in the depth
    of one memory. Raises ValueError if the lanes behind the last state do not divide ``pixels``.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass: the first layer has the frame as its lanes, all others groups of it."""
        for node in model.graph.node:
            op = getCustomOp(node)
            if node.input[0] == model.graph.input[0].name:
                op.set_nodeattr("lanes", self.pixels)
                if op.folding.ram_style is RamStyle.AUTO and op.multiplier.name == "DSP48E2":
                    op.set_nodeattr("ram_style", str(RamStyle.ULTRA))
            elif op.int_attribute("groups") > 1:
                lanes = op.int_attribute("lanes")
                if self.pixels % lanes:
                    raise ValueError(f"pixels={self.pixels} must be a multiple of the {lanes} lanes behind")
                op.set_nodeattr("groups", self.pixels // lanes)
            for name, shape in (
                *((name, op.get_normal_input_shape(i)) for i, name in enumerate(node.input)),
                *((name, op.get_normal_output_shape(i)) for i, name in enumerate(node.output)),
            ):
                model.set_tensor_shape(name, shape)
        return model, False
