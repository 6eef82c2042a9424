# SPDX-License-Identifier: BSD-3-Clause
"""A FINN hardware op described by its streams.

FINN asks an op for shapes, folded shapes, datatypes and widths, one method each; all of them follow
from a list of ``Stream``, which is what our ops state instead.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from qonnx.core.datatype import BaseDataType, DataType

from finn_flirnn.codegen import Multiplier, Resources
from finn_flirnn.numerics import Codes, Format

if TYPE_CHECKING:
    from onnx import NodeProto
    from qonnx.core.modelwrapper import ModelWrapper

AttributeTypes = dict[str, Any]
LEAST_DEPTH = 2
"""Of a FIFO between two nodes; FINN makes none of this depth, as its layers hold as much."""
GREATEST_STEP_DEPTH = 256
"""Of a FIFO that only evens out rhythms; beyond this FINN's FIFO takes block RAM."""
MAX_STREAM_BITS = 24
"""FINN keeps the integers of a stream in float32, which is exact up to this many bits."""


@dataclass(frozen=True)
class Stream:
    """A tensor that travels ``elements`` codes a transfer, features innermost.

    shape: the tensor's, batch 1 first: (1, T, C, features) or (1, C, features).
    """

    shape: tuple[int, ...]
    elements: int
    format: Format

    def __post_init__(self) -> None:
        if self.format.bits > MAX_STREAM_BITS:
            raise ValueError(
                f"a stream's codes must have at most {MAX_STREAM_BITS} bits for FINN, got {self.format}; "
                "choose fewer bits"
            )

    @property
    def folded_shape(self) -> tuple[int, ...]:
        """Shape as transfers: (..., features / elements, elements)."""
        return (*self.shape[:-1], self.shape[-1] // self.elements, self.elements)

    @property
    def transfers(self) -> int:
        """Transfers of a group."""
        return prod(self.shape) // self.elements

    @property
    def datatype(self) -> BaseDataType:
        """FINN's name of the format; it knows neither the scale nor the narrow range."""
        return DataType[f"{'INT' if self.format.signed else 'UINT'}{self.format.bits}"]

    @property
    def bits(self) -> int:
        """Used bits of a transfer."""
        return self.elements * self.format.bits

    def codes(self, name: str, tensor: Any) -> Codes:
        """The integer codes of a float tensor of FINN's execution. Raises ValueError if it holds none."""
        if tensor.shape != self.shape:
            raise ValueError(f"{name} has shape {tensor.shape}, expected {self.shape}")
        codes = np.asarray(tensor, dtype=np.int64)
        if not np.array_equal(codes, tensor):
            raise ValueError(
                f"{name} must hold integer codes, but some of its values are fractions; "
                f"quantise it to {self.format} first"
            )
        self.format.check(name, codes)
        return codes


class StreamOp(HWCustomOp):  # type: ignore[misc]
    """A hardware op with streams in and out, defined by its function on integer codes."""

    @abstractmethod
    def input_streams(self) -> list[Stream]:
        """The streams of the inputs, in order."""

    @abstractmethod
    def output_streams(self) -> list[Stream]:
        """The streams of the outputs, in order."""

    @abstractmethod
    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The output codes for the input codes, in the shapes of their streams.

        The first axis, 1 in a stream's shape, may count any number of groups, one after the other.
        """

    @abstractmethod
    def resources(self) -> Resources:
        """Estimated resources."""

    def get_nodeattr_types(self) -> AttributeTypes:
        """FINN's attributes and two that all our ops have.

        layer: the name in the imported model, kept when FINN renames the node. multiplier: the hard
        multiplier of the device, on which the packing of products depends.
        """
        multipliers = {m.name for m in Multiplier}
        ours = {
            "layer": ("s", False, ""),
            "multiplier": ("s", False, Multiplier.DSP48E2.name, multipliers),
        }
        return {**super().get_nodeattr_types(), **ours}

    @property
    def multiplier(self) -> Multiplier:
        """The device's hard multiplier."""
        return Multiplier[self.get_nodeattr("multiplier")]

    def int_attribute(self, name: str) -> int:
        """An integer attribute of the node."""
        return int(self.get_nodeattr(name))

    @property
    def lanes(self) -> int:
        """Pixels C of a group."""
        return self.int_attribute("lanes")

    def stream_depths(self) -> tuple[list[int], list[int]]:
        """Least depths of the FIFOs on its inputs and outputs, in transfers of the op's own.

        A layer's output holds what all lanes of one time step send, so that neither end waits for the
        other's rhythm within a step.
        """
        outputs = []
        for stream in self.output_streams():
            *_, lanes, transfers, _ = stream.folded_shape
            outputs.append(min(max(lanes * transfers, LEAST_DEPTH), GREATEST_STEP_DEPTH))
        return [LEAST_DEPTH] * len(self.input_streams()), outputs

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """A node of standard ops with the same output shapes. All outputs of an op of ours have one shape."""
        node = super().make_shape_compatible_op(model)
        node.output[:] = self.onnx_node.output
        return node

    # what FINN asks

    def get_normal_input_shape(self, ind: int = 0) -> list[int]:
        """Shape of input tensor ``ind``."""
        return list(self.input_streams()[ind].shape)

    def get_normal_output_shape(self, ind: int = 0) -> list[int]:
        """Shape of output tensor ``ind``."""
        return list(self.output_streams()[ind].shape)

    def get_folded_input_shape(self, ind: int = 0) -> list[int]:
        """Shape of input ``ind`` in transfers."""
        return list(self.input_streams()[ind].folded_shape)

    def get_folded_output_shape(self, ind: int = 0) -> list[int]:
        """Shape of output ``ind`` in transfers."""
        return list(self.output_streams()[ind].folded_shape)

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        """Datatype of input ``ind``."""
        return self.input_streams()[ind].datatype

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        """Datatype of output ``ind``."""
        return self.output_streams()[ind].datatype

    def get_instream_width(self, ind: int = 0) -> int:
        """Used bits of a transfer of input ``ind``."""
        return self.input_streams()[ind].bits

    def get_outstream_width(self, ind: int = 0) -> int:
        """Used bits of a transfer of output ``ind``."""
        return self.output_streams()[ind].bits

    def get_number_output_values(self) -> int | dict[str, int]:
        """Transfers of a group on the output; of several outputs, each under its name."""
        counts = [stream.transfers for stream in self.output_streams()]
        return counts[0] if len(counts) == 1 else {f"out{i}": count for i, count in enumerate(counts)}

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Check the inputs' datatypes and set the outputs'.

        Raises ValueError if an input's integer datatype holds values that its format does not.
        """
        node = self.onnx_node
        for stream, name in zip(self.input_streams(), node.input, strict=True):
            found = model.get_tensor_datatype(name)
            wanted = stream.datatype
            if found.is_integer() and not (wanted.min() <= found.min() and found.max() <= wanted.max()):
                raise ValueError(
                    f"{node.name}: input {name} is {found.name}, but the layer takes {wanted.name}; "
                    f"requantise it to {stream.format} first"
                )
        for stream, name in zip(self.output_streams(), node.output, strict=True):
            model.set_tensor_datatype(name, stream.datatype)

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Run the integer oracle."""
        node = self.onnx_node
        inputs = [s.codes(n, context[n]) for s, n in zip(self.input_streams(), node.input, strict=True)]
        for name, codes in zip(node.output, self.run_oracle(inputs), strict=True):
            context[name] = codes.astype(np.float32)

    def lut_estimation(self, fpgapart: str) -> int:
        """Estimated LUTs."""
        return self.resources().lut

    def dsp_estimation(self, fpgapart: str) -> int:
        """Estimated DSP blocks."""
        return self.resources().dsp

    def bram_estimation(self, fpgapart: str) -> int:
        """Estimated block RAMs, in FINN's unit of 18 Kb."""
        return int(np.ceil(2 * self.resources().bram36))

    def uram_estimation(self, fpgapart: str) -> int:
        """Estimated UltraRAMs."""
        return self.resources().uram

    def node_res_estimation(self, fpgapart: str) -> dict[str, float]:
        """All estimates of the node; FINN's, and the flip-flops, which FINN leaves out."""
        return {**super().node_res_estimation(fpgapart), "FF": self.resources().ff}
