# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle of a QONNX file, by the same transformations that make hardware of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.common.errors import BuildError
from finn_flirnn.numerics import Seq2SeqNetwork

EXPECTED = (["GRU", "GRU", "DenseHead"], ["GRU", "DenseHead"])
"""With and without decoder."""


def network_of_onnx(path: Path) -> Seq2SeqNetwork:
    """Encoder, decoder (if there is one) and head of a file.

    Raises BuildError if the file is no ONNX model or no Seq2Seq network, ConversionError (ValueError)
    naming the node and the reason if a layer cannot be converted exactly.
    """
    model = _load(path)
    with tempfile.TemporaryDirectory() as folder:
        prepare_finn(Path(folder))
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.custom_op.registry import getCustomOp

        from finn_flirnn.transforms.convert import convert_to_hardware

        hardware = convert_to_hardware(ModelWrapper(model), _batch(model) or 1, keep_host=False)
        ops = [getCustomOp(node) for node in hardware.graph.node]
        found = [op.onnx_node.op_type for op in ops]
        if found not in EXPECTED:
            raise BuildError(
                f"{path.name} must be encoder, decoder and head ({' -> '.join(EXPECTED[0])}), "
                f"but has the layers {' -> '.join(found)}; export a Seq2SeqLite"
            )
        encoder, *decoders, head = ops
        for decoder in decoders:
            if encoder.steps != decoder.steps:
                raise BuildError(
                    f"{path.name}: encoder and decoder must have the same number of steps, "
                    f"but have {encoder.steps} and {decoder.steps}"
                )
        layers = [decoder.layer for decoder in decoders]
        return Seq2SeqNetwork(encoder.steps, encoder.layer, layers, head.layer)


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise BuildError(f"{path} must be a valid ONNX model, but: {error}; export it again") from error
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise BuildError(
            f"{path} must have one input and one output, has {len(model.graph.input)} and "
            f"{len(model.graph.output)}; export a Seq2SeqLite"
        )
    return model


def _batch(model: onnx.ModelProto) -> int | None:
    """The fixed batch of a model, None if it takes any."""
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    return dimensions[0].dim_value or None if dimensions else None
