# SPDX-License-Identifier: BSD-3-Clause
"""More units for a trained model without changing what it computes: a teacher grown from its student.

Every unit is copied, and every weight that reads it is split between the copies, each reader's in a
proportion of its own, so that the copies part ways as soon as training goes on. A grown teacher begins
where its student is, which saves most of a training from scratch.
Source: Net2WiderNet (Chen, Goodfellow, Shlens 2016), here for gated recurrent units.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from finn_flirnn.models.seq2seq_lite import Seq2SeqLite

Array = npt.NDArray[np.float32]

SPREAD = 0.25
"""A weight's parts differ from equal ones by up to this share of the weight's layer's root mean square."""


def widened(model: Seq2SeqLite, hidden: int, seed: int = 0) -> Seq2SeqLite:
    """A model of ``hidden`` units that is, unquantised, the same function as ``model``.

    hidden: at least as many units as the model has. Weights' grids follow the new values.
    Raises ValueError if there are fewer.
    """
    units = model.encoder.hidden_size
    if hidden < units:
        raise ValueError(f"hidden={hidden} must be at least the model's {units}; a model can only grow")
    config = {name: value for name, value in model.config.items() if not name.endswith("_frac")}
    grown = Seq2SeqLite(**(config | {"hidden": hidden}), quantised=model.quantised)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    source = np.arange(hidden) % units
    gate_rows = np.concatenate([source + gate * units for gate in range(3)])
    weights: dict[str, Array] = {}
    for name, value in model.float_weights().items():
        rows = value if name.startswith("head.") else value[gate_rows]
        reads_units = name.endswith("weight_hh") or name == "head.weight"
        weights[name] = _split(rows, source, rng) if reads_units else rows
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
