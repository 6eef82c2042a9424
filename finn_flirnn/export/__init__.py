# SPDX-License-Identifier: BSD-3-Clause
"""Export: trained models and oracles as QONNX, its execution, its equality with the oracle."""

from finn_flirnn.export.execution import QonnxExecutor, codes_of, execute_qonnx, without_functions
from finn_flirnn.export.network import build_qonnx, export_qonnx, oracle_of
from finn_flirnn.export.verification import Verification, random_inputs, verify_qonnx

__all__ = [
    "QonnxExecutor",
    "Verification",
    "build_qonnx",
    "codes_of",
    "execute_qonnx",
    "export_qonnx",
    "oracle_of",
    "random_inputs",
    "verify_qonnx",
    "without_functions",
]
