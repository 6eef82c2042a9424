# SPDX-License-Identifier: BSD-3-Clause
"""Functions between two quantisers: followed as expressions, evaluated for every code into a table."""

from __future__ import annotations

from onnx import NodeProto

from finn_flirnn.numerics import Codes, Format
from finn_flirnn.transforms.cell_symbols import Expression, Function, Signals, Value
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.onnx_values import Array, compute

POINTWISE_OPS = frozenset(
    """Abs Acos Acosh Add And Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp
    Floor Gather Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log
    Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh
    Softplus Softsign Sqrt Sub Sum Tan Tanh ThresholdedRelu Where Xor""".split()
)
"""Operators that act on each element alone (Gather: as look-up in a table), so that a table can hold them."""


def compose(node: NodeProto, inputs: list[Value | None]) -> Function | None:
    """The node as a function of one symbol an element, if its inputs are that and single numbers."""
    if node.op_type not in POINTWISE_OPS or node.domain not in ("", "ai.onnx"):
        return None
    functions = [value.function for value in inputs if isinstance(value, Signals)]
    first = functions[0]
    if first is None or any(f is None or f.sources != first.sources for f in functions):
        return None
    arguments: list[Expression | Array] = []
    for position, value in enumerate(inputs):
        if isinstance(value, Signals):
            assert value.function is not None
            arguments.append(value.function.expression)
        elif value is None:
            return None
        elif node.op_type == "Gather" and position == 0:
            arguments.append(value.array)
        elif value.array.size == 1:
            arguments.append(value.array.reshape(()))
        else:
            return None
    return Function(first.sources, first.real, Expression(node, tuple(arguments)))


def function_table(
    node: NodeProto, function: Function, source: Format | None, fmt: Format, opset: int
) -> Codes:
    """Output code for every bit pattern; a pattern outside a narrow range is given its neighbour's.

    node: the quantiser or look-up at the end, for messages. Raises ConversionError if onnxruntime cannot
    evaluate the function or it gives no numbers.
    """
    assert source is not None
    codes = source.saturate(source.all_codes())
    nodes: list[NodeProto] = []
    feeds: dict[str, Array] = {"source": source.dequantise(codes).astype(function.real)}
    output = _unroll(function.expression, nodes, feeds)
    values = compute(nodes, feeds, [output], opset)[0] if nodes else feeds["source"]
    if values.shape != codes.shape:
        raise ConversionError(label(node), "the function before it must be the same for every element")
    try:
        return fmt.quantise(values)
    except ValueError as error:
        raise ConversionError(label(node), str(error)) from error


def _unroll(expression: Expression, nodes: list[NodeProto], feeds: dict[str, Array]) -> str:
    """Append the nodes of an expression of the tensor "source"; returns the name of its value."""
    if expression.node is None:
        return "source"
    names = []
    for argument in expression.arguments:
        if isinstance(argument, Expression):
            names.append(_unroll(argument, nodes, feeds))
        else:
            names.append(f"constant_{len(feeds)}")
            feeds[names[-1]] = argument
    node = NodeProto()
    node.CopyFrom(expression.node)
    del node.input[:], node.output[:]
    node.input.extend(names)
    node.output.append(f"value_{len(nodes)}")
    nodes.append(node)
    return str(node.output[0])
