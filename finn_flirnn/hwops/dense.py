# SPDX-License-Identifier: BSD-3-Clause
"""The abstract FINN op DenseHead: a dense layer at every position of a group of C pixels (lanes).

Input (groups, T, C, N), output (groups, T, C, O), integer codes; one group unless said otherwise.
With steps 0 there is no time: (groups, C, N) and (groups, C, O).
"""

from __future__ import annotations

from functools import cached_property
from math import prod

from finn_flirnn.codegen import DenseFolding, Resources, dense_cycles, estimate_dense
from finn_flirnn.hwops.attributes import RUNTIME_WEIGHTS, dense_attribute_types, dense_layer_of
from finn_flirnn.hwops.stream_op import AttributeTypes, Stream, StreamOp
from finn_flirnn.numerics import Codes, DenseLayer


class DenseHead(StreamOp):
    """A dense layer; its function is the oracle's, its weights are attributes of the node."""

    def get_nodeattr_types(self) -> AttributeTypes:
        """The layer (attributes.py), its folding, and FINN's own attributes.

        PE: outputs in parallel. SIMD: input columns in parallel. groups: of lanes in the tensors.
        runtime_writeable_weights: FINN's name for weights that can be loaded; here biases too.
        """
        folding = {
            "PE": ("i", False, 1),
            "SIMD": ("i", False, 1),
            RUNTIME_WEIGHTS: ("i", False, 0, {0, 1}),
            "groups": ("i", False, 1),
        }
        return {**super().get_nodeattr_types(), **dense_attribute_types(), **folding}

    @cached_property
    def layer(self) -> DenseLayer:
        """The oracle of this node."""
        return dense_layer_of(self)

    @property
    def folding(self) -> DenseFolding:
        """The folding. Raises ValueError if it does not fit the layer."""
        runtime = bool(self.get_nodeattr(RUNTIME_WEIGHTS))
        folding = DenseFolding(self.int_attribute("PE"), self.int_attribute("SIMD"), runtime)
        folding.check(self.layer.outputs, self.layer.inputs)
        return folding

    @property
    def positions(self) -> tuple[int, ...]:
        """Outer shape of the tensors: (groups, T, C), or (groups, C)."""
        names = ("groups", "steps", "lanes") if self.int_attribute("steps") else ("groups", "lanes")
        return tuple(self.int_attribute(name) for name in names)

    def input_streams(self) -> list[Stream]:
        """The input."""
        return [Stream((*self.positions, self.layer.inputs), self.folding.simd, self.layer.input_format)]

    def output_streams(self) -> list[Stream]:
        """The output."""
        return [Stream((*self.positions, self.layer.outputs), self.folding.pe, self.layer.output_format)]

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The oracle's output."""
        return [self.layer.run(inputs[0])]

    def resources(self) -> Resources:
        """Estimated resources."""
        return estimate_dense(self.layer, self.folding, self.multiplier)

    def get_exp_cycles(self) -> int:
        """Cycles for the groups of the tensors in steady state."""
        return dense_cycles(self.layer, prod(self.positions), self.folding)

    def get_op_and_param_counts(self) -> dict[str, int]:
        """Multiply-accumulates of the groups of the tensors, and parameters by kind and width."""
        layer = self.layer
        # FINN's names: the narrower operand first
        narrow, wide = sorted((layer.input_format.bits, layer.weight_format.bits))
        return {
            f"op_mac_{narrow}bx{wide}b": layer.macs * prod(self.positions),
            f"param_weight_{layer.weight_format.bits}b": layer.weight.size,
            "param_bias": layer.bias.size,
        }
