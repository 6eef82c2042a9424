# SPDX-License-Identifier: BSD-3-Clause
"""Graph transformations: QONNX with Scans -> FINN graphs with recurrent hardware layers."""

from finn_flirnn.transforms.conversion_error import ConversionError

__all__ = ["ConversionError"]
