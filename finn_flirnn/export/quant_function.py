# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's Quant as an ONNX function, so that any ONNX runtime executes an exported model.

Q(x) = scale * (round(clip(x / scale + zero_point, least, greatest)) - zero_point), ties to even.
Only rounding_mode ROUND is defined, the only one that the export writes.
Source: the QONNX specification of Quant (IntQuant), version 1.
"""

from __future__ import annotations

from onnx import AttributeProto, FunctionProto, NodeProto, helper

from finn_flirnn.export.graph import QUANT_DOMAIN


def quant_function(opset: int) -> FunctionProto:
    """The definition of Quant by standard operators of ``opset`` (at least 15)."""
    node = helper.make_node
    nodes = [
        _attribute_constant("signed"),
        _attribute_constant("narrow"),
        node("Constant", [], ["one_float"], value_float=1.0),
        node("Constant", [], ["two_float"], value_float=2.0),
        *(
            node("CastLike", [f"{name}_{kind}", "bit_width"], [name])
            for name, kind in (("signed", "int"), ("narrow", "int"), ("one", "float"), ("two", "float"))
        ),
        # half = 2**(bits - signed): one more than the greatest code of a full range
        node("Sub", ["bit_width", "signed"], ["magnitude_bits"]),
        node("Pow", ["two", "magnitude_bits"], ["half"]),
        # least = signed * (narrow - half)
        node("Sub", ["narrow", "half"], ["negative"]),
        node("Mul", ["signed", "negative"], ["least"]),
        # greatest = half - 1 - narrow * (1 - signed): QONNX narrows an unsigned range at its top
        node("Sub", ["one", "signed"], ["unsigned"]),
        node("Mul", ["narrow", "unsigned"], ["narrowed"]),
        node("Sub", ["half", "one"], ["full_greatest"]),
        node("Sub", ["full_greatest", "narrowed"], ["greatest"]),
        # Clip wants scalars of the data's type
        *(node("Squeeze", [bound], [f"{bound}_scalar"]) for bound in ("least", "greatest")),
        *(node("CastLike", [f"{bound}_scalar", "x"], [f"{bound}_x"]) for bound in ("least", "greatest")),
        node("Div", ["x", "scale"], ["scaled"]),
        node("Add", ["scaled", "zero_point"], ["shifted"]),
        node("Clip", ["shifted", "least_x", "greatest_x"], ["clipped"]),
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


def _attribute_constant(name: str) -> NodeProto:
    """A constant that takes the value of the function's attribute."""
    node = helper.make_node("Constant", [], [f"{name}_int"])
    node.attribute.append(AttributeProto(name="value_int", type=AttributeProto.INT, ref_attr_name=name))
    return node
