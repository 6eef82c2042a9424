# SPDX-License-Identifier: BSD-3-Clause
"""A dense head becomes hardware: parameters of the engine, memories, wrapper."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.rom import Rom, pack_bits, rounding_half, signed_bits
from finn_flirnn.codegen.systolic import MacArray, mac_array
from finn_flirnn.codegen.types import DenseFolding, RtlModule, StreamPort
from finn_flirnn.codegen.weight_image import WeightSet, check_bias_bits, weight_set
from finn_flirnn.codegen.wrapper import MemoryPort, write_module
from finn_flirnn.numerics import Codes, DenseLayer


def dense_array(layer: DenseLayer, folding: DenseFolding, multiplier: Multiplier) -> MacArray:
    """The head's multipliers."""
    shape = (folding.pe, 1, folding.pe, folding.simd)
    folds, words = layer.outputs // folding.pe, layer.inputs // folding.simd
    return mac_array(multiplier, layer.weight_format, layer.input_format, shape, folds, words)


def dense_parameters(layer: DenseLayer, folding: DenseFolding, multiplier: Multiplier) -> dict[str, int]:
    """Parameters of rtl/dense.sv."""
    x, y = layer.input_format, layer.output_format
    acc = layer.weight_format.bits + x.bits + int(not x.signed) + (layer.inputs - 1).bit_length()
    biases = _biases(layer)
    # loaded biases may be as great as the sums that they are added to
    bias = acc if folding.runtime_weights else signed_bits(int(biases.min()), int(biases.max()))
    array = dense_array(layer, folding, multiplier)
    weights = array.weights("", layer.weight)
    return {
        "INPUTS": layer.inputs,
        "OUTPUTS": layer.outputs,
        "PE": folding.pe,
        "SIMD": folding.simd,
        "XBITS": x.bits,
        "XSIGNED": int(x.signed),
        "WBITS": layer.weight_format.bits,
        "ACC": acc,
        "BIAS": bias,
        "SUM": max(acc, bias) + 1,
        "SHIFT": layer.product_frac - y.frac,
        "YBITS": y.bits,
        "YSIGNED": int(y.signed),
        "YNARROW": int(y.narrow),
        **array.parameters(),
        "WADDRS": weights.address_width,
        "WWIDTH": weights.width,
    }


def emit_dense(
    layer: DenseLayer,
    folding: DenseFolding,
    directory: Path,
    name: str,
    multiplier: Multiplier = Multiplier.DSP48E2,
) -> RtlModule:
    """Write the hardware of a dense head into ``directory`` as module ``name``.

    Raises ValueError if the folding does not fit.
    """
    folding.check(layer.outputs, layer.inputs)
    parameters = dense_parameters(layer, folding, multiplier)
    return write_module(
        directory,
        name,
        f"dense head, {layer.inputs} inputs, {layer.outputs} outputs",
        "dense",
        parameters,
        [(StreamPort("in0_V", folding.simd, layer.input_format), "i")],
        [(StreamPort("out0_V", folding.pe, layer.output_format), "o")],
        [],
        dense_memories(layer, folding, name, multiplier),
        multiplier,
    )


def dense_weight_set(layer: DenseLayer, folding: DenseFolding, multiplier: Multiplier) -> WeightSet:
    """What a weight image holds for a dense head. Raises ValueError if a bias does not fit."""
    formats = f"dense {layer.input_format} {layer.weight_format} {layer.output_format}"
    parameters = dense_parameters(layer, folding, multiplier)
    return weight_set(formats, parameters, dense_memories(layer, folding, "", multiplier))


def dense_memories(
    layer: DenseLayer, folding: DenseFolding, name: str, multiplier: Multiplier
) -> list[MemoryPort]:
    """Weights and biases of a dense head, as its memory ports take them."""
    bias_bits = dense_parameters(layer, folding, multiplier)["BIAS"]
    weights = dense_array(layer, folding, multiplier).weights(f"{name}_w", layer.weight)
    biases = _biases(layer)
    if folding.runtime_weights:
        check_bias_bits(signed_bits(int(biases.min()), int(biases.max())), bias_bits)
    folds = [list(range(start, start + folding.pe)) for start in range(0, layer.outputs, folding.pe)]
    bias_words = tuple(pack_bits((int(biases[row]), bias_bits) for row in rows) for rows in folds)
    biases_rom = Rom(f"{name}_bias", bias_bits * folding.pe, bias_words)
    return [
        MemoryPort("w", weights, 1, folding.runtime_weights),
        MemoryPort("bias", biases_rom, 1, folding.runtime_weights),
    ]


def _biases(layer: DenseLayer) -> Codes:
    """Biases as the engine takes them: with what its rounding wants."""
    return layer.bias + rounding_half(layer.product_frac - layer.output_format.frac)
