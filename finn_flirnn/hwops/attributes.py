# SPDX-License-Identifier: BSD-3-Clause
"""Oracle layers as attributes of ONNX nodes, and back.

Weights, biases and tables are tensor attributes, not inputs: FINN's RTL execution streams every
input of a node. A format is a string "bits:frac:sign:range", for example "8:7:s:n".
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from finn_flirnn.numerics import Codes, DenseLayer, Format, GruFormats, GruLayer, Reset

AttributeTypes = dict[str, Any]
FORMAT_PREFIX = "fmt_"
RUNTIME_WEIGHTS = "runtime_writeable_weights"
GRU_ROLES = tuple(field.name for field in fields(GruFormats))
DENSE_ROLES = ("input", "weight", "output")
_NOTHING = np.zeros(0, dtype=np.int64)


class AttributeSource(Protocol):
    """What attributes are read from: a qonnx CustomOp."""

    def get_nodeattr(self, name: str) -> Any:
        """The value of an attribute, or its default."""


def format_to_text(fmt: Format) -> str:
    """A format as an attribute.

    >>> format_to_text(Format(bits=8, frac=7, narrow=True))
    '8:7:s:n'
    """
    return f"{fmt.bits}:{fmt.frac}:{'s' if fmt.signed else 'u'}:{'n' if fmt.narrow else 'f'}"


def format_from_text(text: str) -> Format:
    """The format of an attribute. Raises ValueError if the text is none.

    >>> format_from_text("4:3:u:f")
    Format(bits=4, frac=3, signed=False, narrow=False)
    """
    parts = text.split(":")
    if len(parts) != 4 or parts[2] not in ("s", "u") or parts[3] not in ("n", "f"):
        raise ValueError(f"a format must be bits:frac:s|u:n|f, got {text!r}; write for example 8:7:s:n")
    return Format(int(parts[0]), int(parts[1]), signed=parts[2] == "s", narrow=parts[3] == "n")


def gru_attribute_types() -> AttributeTypes:
    """The attributes of a GRU node, as qonnx wants them declared: name -> (type, required, default)."""
    optional_roles = ("input", "weight_ih")
    return {
        "hidden": ("i", True, 0),
        "inputs": ("i", True, 0),
        "steps": ("i", True, 0),
        "lanes": ("i", True, 0),
        "reset": ("s", True, "", {str(reset) for reset in Reset}),
        "sequence": ("i", True, 0, {0, 1}),
        "initial_state": ("i", True, 0, {0, 1}),
        **{FORMAT_PREFIX + role: ("s", role not in optional_roles, "") for role in GRU_ROLES},
        "weight_ih": ("t", False, _NOTHING),
        "weight_hh": ("t", True, _NOTHING),
        "bias_ih": ("t", True, _NOTHING),
        "bias_hh": ("t", False, _NOTHING),
        "gate_table": ("t", True, _NOTHING),
        "candidate_table": ("t", True, _NOTHING),
    }


def gru_attributes(layer: GruLayer, steps: int, lanes: int) -> AttributeTypes:
    """The attributes of a layer that runs ``steps`` steps for groups of ``lanes`` pixels."""
    formats = {role: getattr(layer.formats, role) for role in GRU_ROLES}
    tensors = {
        "weight_ih": layer.weight_ih,
        "weight_hh": layer.weight_hh,
        "bias_ih": layer.bias_ih,
        "bias_hh": layer.bias_hh,
        "gate_table": layer.gate_table,
        "candidate_table": layer.candidate_table,
    }
    return {
        "hidden": layer.hidden,
        "inputs": layer.inputs,
        "steps": steps,
        "lanes": lanes,
        "reset": str(layer.reset),
        "sequence": int(layer.sequence),
        "initial_state": int(layer.initial_state),
        **_format_attributes(formats),
        **{name: tensor.astype(np.int64) for name, tensor in tensors.items() if tensor is not None},
    }


def gru_layer_of(op: AttributeSource) -> GruLayer:
    """The layer of a GRU node. Raises ValueError if its attributes contradict each other."""
    has_input = bool(op.get_nodeattr("inputs"))
    reset = Reset(op.get_nodeattr("reset"))
    absent = () if has_input else ("input", "weight_ih")
    layer = GruLayer(
        formats=GruFormats(
            **{role: None if role in absent else _format(op, role) for role in GRU_ROLES}  # type: ignore[arg-type]
        ),
        reset=reset,
        weight_ih=_codes(op, "weight_ih") if has_input else None,
        weight_hh=_codes(op, "weight_hh"),
        bias_ih=_codes(op, "bias_ih"),
        bias_hh=_codes(op, "bias_hh") if reset is Reset.AFTER else None,
        gate_table=_codes(op, "gate_table"),
        candidate_table=_codes(op, "candidate_table"),
        sequence=bool(op.get_nodeattr("sequence")),
        initial_state=bool(op.get_nodeattr("initial_state")),
    )
    for name in ("hidden", "inputs"):
        if op.get_nodeattr(name) != getattr(layer, name):
            raise ValueError(
                f"{name}={op.get_nodeattr(name)} must be {getattr(layer, name)}, as the weights say"
            )
    return layer


def dense_attribute_types() -> AttributeTypes:
    """The attributes of a DenseHead node, as qonnx wants them declared."""
    return {
        "steps": ("i", True, 0),
        "lanes": ("i", True, 0),
        **{FORMAT_PREFIX + role: ("s", True, "") for role in DENSE_ROLES},
        "weight": ("t", True, _NOTHING),
        "bias": ("t", True, _NOTHING),
    }


def dense_attributes(layer: DenseLayer, steps: int, lanes: int) -> AttributeTypes:
    """The attributes of a layer applied at every of ``steps`` x ``lanes`` positions."""
    formats = {role: getattr(layer, f"{role}_format") for role in DENSE_ROLES}
    return {
        "steps": steps,
        "lanes": lanes,
        **_format_attributes(formats),
        "weight": layer.weight.astype(np.int64),
        "bias": layer.bias.astype(np.int64),
    }


def dense_layer_of(op: AttributeSource) -> DenseLayer:
    """The layer of a DenseHead node. Raises ValueError if its attributes contradict each other."""
    formats = {f"{role}_format": _format(op, role) for role in DENSE_ROLES}
    return DenseLayer(**formats, weight=_codes(op, "weight"), bias=_codes(op, "bias"))


def _format_attributes(formats: dict[str, Format | None]) -> AttributeTypes:
    return {FORMAT_PREFIX + role: format_to_text(fmt) for role, fmt in formats.items() if fmt is not None}


def _format(op: AttributeSource, role: str) -> Format:
    return format_from_text(op.get_nodeattr(FORMAT_PREFIX + role))


def _codes(op: AttributeSource, name: str) -> Codes:
    return np.asarray(op.get_nodeattr(name), dtype=np.int64)
