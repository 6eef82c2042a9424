# SPDX-License-Identifier: BSD-3-Clause
"""More units for a trained model without changing what it computes: a teacher grown from its student.

Every unit is copied, and every weight that reads it is split between the copies, each reader's in a
proportion of its own, so that the copies part ways as soon as training goes on. A grown teacher begins
where its student is, which saves most of a training from scratch.
Source: Net2WiderNet (Chen, Goodfellow, Shlens 2016), here for gated recurrent units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.numerics.seq2seq import layer_name

Array = npt.NDArray[np.float32]

SPREAD = 0.25
"""A weight's parts differ from equal ones by up to this share of the weight's layer's root mean square."""


def widened(model: Seq2SeqLite, hidden: int | Sequence[int], seed: int = 0) -> Seq2SeqLite:
    """A model of ``hidden`` units that is, unquantised, the same function as ``model``.

    hidden: of each layer, at least as many units as the model has. Weights' grids follow the new values.
    Raises ValueError if there are fewer, or another number of layers.
    """
    units = [layer.hidden_size for layer in model.encoders]
    wanted = [hidden] if isinstance(hidden, int) else list(hidden)
    if len(wanted) != len(units) or any(w < u for w, u in zip(wanted, units, strict=True)):
        raise ValueError(
            f"hidden={hidden} must be at least the model's {' x '.join(map(str, units))}, layer by layer; "
            "a model can only grow wider"
        )
    config = {name: value for name, value in model.config.items() if not name.endswith("_frac")}
    grown = Seq2SeqLite(**(config | {"hidden": wanted}), quantised=model.quantised)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    sources = [np.arange(new) % old for new, old in zip(wanted, units, strict=True)]
    weights: dict[str, Array] = {}
    for side, layers in (("encoder", model.encoders), ("decoder", model.decoders)):
        for index, layer in enumerate(layers):
            source = sources[index]
            rows = np.concatenate([source + gate * units[index] for gate in range(3)])
            for name, parameter in layer.named_parameters():
                value = parameter.detach().cpu().numpy()[rows]
                read = {"weight_hh": source} | ({"weight_ih": sources[index - 1]} if index else {})
                weights[f"{layer_name(side, index)}.{name}"] = (
                    _split(value, read[name], rng) if name in read else value
                )
    head = model.head
    weights["head.weight"] = _split(head.weight.detach().cpu().numpy(), sources[-1], rng)
    weights["head.bias"] = head.bias.detach().cpu().numpy()
    grown.load_float_weights(weights)
    return grown


def _split(weight: Array, source: npt.NDArray[np.intp], rng: np.random.Generator) -> Array:
    """(rows, units) -> (rows, hidden): the columns of a unit's copies sum to the unit's own."""
    copies = np.bincount(source)
    spread = SPREAD * float(np.sqrt(np.mean(np.square(weight, dtype=np.float64))))
    noise = rng.uniform(-spread, spread, (len(weight), len(source)))
    for unit in range(weight.shape[1]):
        mine = source == unit
        noise[:, mine] -= noise[:, mine].mean(axis=1, keepdims=True)
    return np.asarray(weight[:, source] / copies[source] + noise, dtype=np.float32)
