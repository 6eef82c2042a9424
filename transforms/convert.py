# SPDX-License-Identifier: BSD-3-Clause
"""A QONNX model with Scans -> hardware layers, by the transformations of this package in order."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper

from finn_flirnn.transforms.cancel_inverse import CancelInversePairs
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.fix_batch import FixBatch
from finn_flirnn.transforms.infer_dense import InferDenseHead
from finn_flirnn.transforms.infer_recurrent import InferRecurrentLayer
from finn_flirnn.transforms.keep_dataflow import KeepDataflow
from finn_flirnn.transforms.onnx_values import attributes_of


def convert_to_hardware(model: ModelWrapper, lanes: int, *, keep_host: bool = True) -> ModelWrapper:
    """The model with GRU and DenseHead layers for groups of ``lanes`` sequences; ``model`` stays.

    keep_host: real values at the ends, as before; else the hardware layers alone, codes at the ends.
    Raises ConversionError if a layer cannot be converted exactly, or if the model's batch is fixed at
    another number than ``lanes``.
    """
    steps = [FixBatch(lanes), InferRecurrentLayer(), InferDenseHead(), CancelInversePairs()]
    if not keep_host:
        steps.append(KeepDataflow())
    for step in steps:
        model = model.transform(step)
    for node in model.get_nodes_by_op_type("GRU"):
        found = attributes_of(node)["lanes"]
        if found != lanes:
            raise ConversionError(
                label(node),
                f"the model's batch is fixed at {found}, not lanes={lanes}; export it with any batch",
            )
    return model
