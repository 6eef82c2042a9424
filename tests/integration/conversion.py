# SPDX-License-Identifier: BSD-3-Clause
"""A model through export and conversion, against Brevitas and the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from finn_flirnn.export import export_qonnx
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.transforms.convert import convert_to_hardware


def assert_converted_equals_model_and_oracle(model: Seq2SeqLite, steps: int, lanes: int, path: Path) -> None:
    """The converted graph's outputs equal the model's and the oracle's on random input; path: of its ONNX."""
    export_qonnx(model, path)
    converted = convert_to_hardware(ModelWrapper(str(path)), lanes)
    x = torch.rand(lanes, steps, 1)
    (found,) = execute_onnx(converted, {"x": x.numpy()}).values()
    network = model.to_network()
    codes = network.run(network.input_format.quantise(x.numpy()))
    assert np.array_equal(found, network.output_format.dequantise(codes))
    with torch.no_grad():
        assert np.array_equal(found, model(x))
