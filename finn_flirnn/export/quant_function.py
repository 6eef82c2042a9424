# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's Quant as an ONNX function, so that any ONNX runtime executes an exported model.

Q(x) = scale * (round(clip(x / scale + zero_point, least, greatest)) - zero_point), ties to even.
Only rounding_mode ROUND is defined, the only one that the export writes.
Source: the QONNX specification of Quant (IntQuant), version 1.
"""

from __future__ import annotations

from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper

from finn_flirnn.export.graph import QUANT_DOMAIN


def quant_function(opset: int) -> FunctionProto:
    """The definition of Quant by standard operators of ``opset`` (13 to 17)."""
    node = helper.make_node
    nodes = [
        *_signed_and_narrow(),
        # half = 2**(bits - signed): one more than the greatest code of a full range
        node("Cast", ["signed_int"], ["signed_float"], to=TensorProto.FLOAT),
        node("Squeeze", ["bit_width"], ["bits"]),
        node("Sub", ["bits", "signed_float"], ["magnitude_bits"]),
        node("Pow", ["two", "magnitude_bits"], ["half"]),
        # least = signed * (narrow - half)
        node("Sub", ["narrow", "half"], ["negative"]),
        node("Mul", ["signed", "negative"], ["least"]),
        # greatest = half - 1 - narrow * (1 - signed): QONNX narrows an unsigned range at its top
        node("Sub", ["one", "signed"], ["unsigned"]),
        node("Mul", ["narrow", "unsigned"], ["narrowed"]),
        node("Sub", ["half", "one"], ["full_greatest"]),
        node("Sub", ["full_greatest", "narrowed"], ["greatest"]),
        node("Div", ["x", "scale"], ["scaled"]),
        node("Add", ["scaled", "zero_point"], ["shifted"]),
        node("Clip", ["shifted", "least", "greatest"], ["clipped"]),
        node("Round", ["clipped"], ["rounded"]),
        node("Sub", ["rounded", "zero_point"], ["code"]),
        node("Mul", ["code", "scale"], ["y"]),
    ]
    return helper.make_function(
        QUANT_DOMAIN,
        "Quant",
        inputs=["x", "scale", "zero_point", "bit_width"],
        outputs=["y"],
        nodes=nodes,
        opset_imports=[helper.make_opsetid("", opset)],
        attributes=["signed", "narrow", "rounding_mode"],
    )


def _signed_and_narrow() -> list[NodeProto]:
    """The attributes as numbers 0 or 1 of the type of ``scale``, and "one" and "two" of that type.

    A function has no way to name the type of its input but CastLike, which onnxruntime cannot fold; so
    the numbers are made of the scale itself, exactly: s - s, s / s.
    """
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["scale"], ["any_scale"], keepdims=0),
        node("Sub", ["any_scale", "any_scale"], ["zero"]),
        node("Div", ["any_scale", "any_scale"], ["one"]),
        node("Add", ["one", "one"], ["two"]),
        node("Constant", [], ["row"], value_ints=[1]),
        node("Reshape", ["zero", "row"], ["zero_row"]),
        node("Reshape", ["one", "row"], ["one_row"]),
        node("Concat", ["zero_row", "one_row"], ["zero_one"], axis=0),
    ]
    for name in ("signed", "narrow"):
        constant = node("Constant", [], [f"{name}_int"])
        constant.attribute.append(
            AttributeProto(name="value_int", type=AttributeProto.INT, ref_attr_name=name)
        )
        nodes += [constant, node("Gather", ["zero_one", f"{name}_int"], [name])]
    return nodes
