# SPDX-License-Identifier: BSD-3-Clause
"""The format of a QONNX Quant node."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from onnx import NodeProto

from finn_flirnn.numerics import Format
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.onnx_values import Array, attributes_of

QUANT_OPS = ("Quant", "IntQuant")
QUANT_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")
EXACT_ROUNDING = ("ROUND", "HALF_EVEN")


def is_quant(node: NodeProto | None) -> bool:
    """Whether a node is a QONNX quantiser of integers."""
    return node is not None and node.op_type in QUANT_OPS and node.domain in QUANT_DOMAINS


def quant_format(node: NodeProto, constant: Callable[[str], Array | None]) -> Format:
    """The format of a Quant node; ``constant`` gives a tensor's value if it has one.

    Raises ConversionError unless scale (one power of two), zero point (0), bits and rounding fit a format.
    """
    name = label(node)
    scale, zero_point, bits = (
        _scalar(node, constant(tensor), what)
        for tensor, what in zip(node.input[1:], ("scale", "zero point", "bit width"), strict=True)
    )
    attributes = attributes_of(node)
    rounding = attributes.get("rounding_mode", b"ROUND").decode().upper()
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    mantissa, exponent = math.frexp(scale)
    if scale <= 0 or mantissa != 0.5:
        raise ConversionError(name, f"its scale must be a power of two, got {scale}; train with such scales")
    if zero_point != 0:
        raise ConversionError(name, f"its zero point must be 0, got {zero_point}; quantise symmetrically")
    if rounding not in EXACT_ROUNDING:
        raise ConversionError(name, f"its rounding mode must be one of {EXACT_ROUNDING}, got {rounding}")
    if narrow and not signed:
        raise ConversionError(name, "an unsigned quantiser must not be narrow; set narrow=0")
    if bits != int(bits):
        raise ConversionError(name, f"its bit width must be an integer, got {bits}")
    try:
        return Format(int(bits), 1 - exponent, signed, narrow)
    except ValueError as error:
        raise ConversionError(name, str(error)) from error


def _scalar(node: NodeProto, value: Array | None, what: str) -> float:
    if value is None:
        raise ConversionError(label(node), f"its {what} must be a constant; fold constants first")
    if value.size == 0 or not np.all(value == value.flat[0]):
        raise ConversionError(
            label(node), f"its {what} must be one number, got {value.size} per channel; quantise per tensor"
        )
    return float(value.flat[0])
