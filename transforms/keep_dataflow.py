# SPDX-License-Identifier: BSD-3-Clause
"""Cut a converted model down to its hardware layers."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.graph_edit import HARDWARE_DOMAIN


class KeepDataflow(Transformation):  # type: ignore[misc]
    """Remove the host's part at both ends: quantisation, layout, scales.

    before: x -> Quant -> Mul -> Unsqueeze -> Transpose -> GRU -> DenseHead
              -> Transpose -> Squeeze -> Mul -> y
    after:  codes (1, T, C, I) -> GRU -> DenseHead -> codes (1, T, C, O)

    Raises ConversionError if a node of the host lies between hardware layers or reads a stream that goes
    on to another layer, ValueError if there is no
    hardware layer at all.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        hardware = [node for node in model.graph.node if node.domain.startswith(HARDWARE_DOMAIN)]
        if not hardware:
            raise ValueError("the model has no hardware layer; apply InferRecurrentLayer first")
        made = {name for node in hardware for name in node.output}
        host = [node for node in model.graph.node if not node.domain.startswith(HARDWARE_DOMAIN)]
        behind = set(made)
        for node in host:
            if behind & set(node.input):
                behind |= set(node.output)
        read = {name for node in hardware for name in node.input}
        for node in host:
            if read & set(node.output) & behind:
                raise ConversionError(
                    label(node),
                    "lies between hardware layers, but runs on the host; apply CancelInversePairs first",
                )
        seen = {name for node in host for name in node.input} | {value.name for value in model.graph.output}
        for node in hardware:
            if seen & read & set(node.output):
                raise ConversionError(
                    label(node),
                    "feeds both a hardware layer and the host; use one of them, a stream has one end",
                )
        inputs = list(dict.fromkeys(name for node in hardware for name in node.input if name not in made))
        outputs = [name for node in hardware for name in node.output if name not in read]
        borders = [[_value_info(model, name) for name in names] for names in (inputs, outputs)]
        for node in host:
            model.graph.node.remove(node)
        for names, fields in zip(borders, (model.graph.input, model.graph.output), strict=True):
            del fields[:]
            fields.extend(names)
        inner = [v for v in model.graph.value_info if v.name not in {*inputs, *outputs}]
        del model.graph.value_info[:]
        model.graph.value_info.extend(inner)
        del model.model.functions[:]
        return model, False


def _value_info(model: ModelWrapper, name: str) -> object:
    info = model.get_tensor_valueinfo(name)
    assert info is not None, name
    copy = type(info)()
    copy.CopyFrom(info)
    return copy
