# SPDX-License-Identifier: BSD-3-Clause
"""Weight images for a design with run-time weights, from any network of its shape (docs/weights.md)."""

from __future__ import annotations

import re
from dataclasses import replace

from finn_flirnn.codegen import WeightSet, encode_image
from finn_flirnn.hwops.design import Design, weight_sets, writable_layers
from finn_flirnn.numerics import DenseLayer, GruLayer, Seq2SeqNetwork

REMEDY = "train a network of the same shape, or build anew"


def built_in_image(design: Design) -> bytes:
    """The image of the set that a design starts with. Raises ValueError without run-time weights."""
    return encode_image(_built_in(design))


def weight_image(network: Seq2SeqNetwork, design: Design) -> bytes:
    """The image that gives a design the weights, biases and tables of another network of its shape.

    Raises ValueError for a design without run-time weights, and for a network that differs in steps,
    sizes, formats or place of the reset gate, or whose biases need more bits than the hardware has.
    """
    built_in, sets = _built_in(design), []
    steps = sum(layer.op.steps for layer in design.layers if re.fullmatch(r"encoder(_part\d+)?", layer.name))
    if steps != network.steps:
        raise ValueError(f"the network has {network.steps} steps, the hardware {steps}; {REMEDY}")
    for layer, old in zip(writable_layers(design), built_in, strict=True):
        new = _fitted(layer.name, layer.op.layer, _layer_of(network, layer.name))
        sets.append(layer.op.weight_set(new))
        assert sets[-1].shape == old.shape
    return encode_image(sets)


def _built_in(design: Design) -> list[WeightSet]:
    if not (sets := weight_sets(design)):
        raise ValueError(f"{design.top.top} has no run-time weights; build it with runtime_weights")
    return sets


def _layer_of(network: Seq2SeqNetwork, name: str) -> GruLayer | DenseLayer:
    """The network's layer that a layer of the design is, or is a part or a copy of."""
    layers: dict[str, GruLayer | DenseLayer] = {**network.recurrent, "head": network.head}
    for key, layer in layers.items():
        if re.fullmatch(rf"{key}(_part\d+)?(_copy\d+)?", name):
            return layer
    raise ValueError(f"layer {name} of the design must be one of {list(layers)}; images need these names")


def _fitted(name: str, old: GruLayer | DenseLayer, new: GruLayer | DenseLayer) -> GruLayer | DenseLayer:
    """The new layer with the streams of the old one. Raises ValueError if it is of another shape."""
    for what, there, given in zip(("type", *_FACTS), _facts(old), _facts(new), strict=False):
        if there != given:
            raise ValueError(f"{name}: the network's {what} is {given}, the hardware's {there}; {REMEDY}")
    if isinstance(new, GruLayer) and isinstance(old, GruLayer):
        return replace(new, sequence=old.sequence, initial_state=old.initial_state)
    return new


_FACTS = ("inputs", "units", "formats", "reset")


def _facts(layer: GruLayer | DenseLayer) -> tuple[object, ...]:
    """What two layers must share, in the order of _FACTS behind the type."""
    if isinstance(layer, GruLayer):
        return "GRU", layer.inputs, layer.hidden, layer.formats, layer.reset
    formats = (layer.input_format, layer.weight_format, layer.output_format)
    return "dense", layer.inputs, layer.outputs, formats
