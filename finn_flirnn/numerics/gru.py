# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle of a quantised GRU layer.

Everything else (Brevitas model, QONNX, FINN op, RTL, driver) is compared with this by ``==``.
Normative text: docs/numerics.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from finn_flirnn.numerics.fixed_point import Codes, Format, align, requantise


class Reset(StrEnum):
    """Where the reset gate acts."""

    AFTER = "after"
    """n = tanh(W_in x + b_in + r * (W_hn h + b_hn)): PyTorch, cuDNN, Keras reset_after=True."""
    BEFORE = "before"
    """n = tanh(W_in x + W_hn (r * h) + b_in): Cho 2014, Keras reset_after=False."""


@dataclass(frozen=True)
class GruFormats:
    """The formats of one GRU layer.

    input and weight_ih are None for a layer without input. gate is unsigned, candidate and
    state are signed. All three gates share one format for their pre-activations.
    """

    weight_hh: Format
    state: Format
    gate: Format
    candidate: Format
    preactivation: Format
    input: Format | None = None
    weight_ih: Format | None = None

    def __post_init__(self) -> None:
        if (self.input is None) != (self.weight_ih is None):
            raise ValueError(
                f"input={self.input} and weight_ih={self.weight_ih} must be given together; "
                "leave out both for a layer without input"
            )
        if self.gate.signed:
            raise ValueError(f"gate={self.gate} must be unsigned; a gate lies in [0, 1]")
        for name in ("state", "candidate", "preactivation", "weight_hh"):
            if not getattr(self, name).signed:
                raise ValueError(f"{name}={getattr(self, name)} must be signed; set signed=True")

    @property
    def product_frac(self) -> int:
        """Fractional bits F of the accumulators and of every bias."""
        recurrent = self.weight_hh.frac + self.state.frac
        if self.input is None or self.weight_ih is None:
            return recurrent
        return max(recurrent, self.weight_ih.frac + self.input.frac)


@dataclass(frozen=True)
class GruLayer:
    """A GRU layer in integer codes.

    hidden H, inputs I (0: no input). Rows in gate order r, z, n, H rows each.
    weight_ih: (3H, I), None if I = 0. weight_hh: (3H, H).
    bias_ih: (3H,) at ``formats.product_frac``. bias_hh: the same; None where reset is before.
    gate_table, candidate_table: (2**preactivation.bits,), see ``activation_table``.
    sequence: output the state after every step (else only after the last).
    initial_state: the layer takes its first state from an input (else it is zero).
    """

    formats: GruFormats
    reset: Reset
    weight_ih: Codes | None
    weight_hh: Codes
    bias_ih: Codes
    bias_hh: Codes | None
    gate_table: Codes
    candidate_table: Codes
    sequence: bool = True
    initial_state: bool = False

    def __post_init__(self) -> None:
        f = self.formats
        h = self.hidden
        rows = 1 << f.preactivation.bits
        expected = {
            "weight_hh": (3 * h, h),
            "bias_ih": (3 * h,),
            "gate_table": (rows,),
            "candidate_table": (rows,),
        }
        if f.input is not None:
            expected["weight_ih"] = (3 * h, self.inputs)
        if self.reset is Reset.AFTER:
            expected["bias_hh"] = (3 * h,)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gate_table", "candidate_table"):
            array = getattr(self, name)
            if (array is None) != (name not in expected):
                raise ValueError(
                    f"{name} must be {'given' if name in expected else 'None'} for a layer with "
                    f"{'an' if f.input else 'no'} input and reset={self.reset}"
                )
            if array is not None and array.shape != expected[name]:
                raise ValueError(
                    f"{name} has shape {array.shape}, expected {expected[name]} for hidden={h}, "
                    f"inputs={self.inputs}"
                )
        f.weight_hh.check("weight_hh", self.weight_hh)
        f.gate.check("gate_table", self.gate_table)
        f.candidate.check("candidate_table", self.candidate_table)
        if self.weight_ih is not None and f.weight_ih is not None:
            f.weight_ih.check("weight_ih", self.weight_ih)

    @property
    def hidden(self) -> int:
        """Number of units H."""
        return int(self.weight_hh.shape[1])

    @property
    def inputs(self) -> int:
        """Number of input features I; 0 for a layer without input."""
        return 0 if self.weight_ih is None else int(self.weight_ih.shape[1])

    @property
    def macs_per_step(self) -> int:
        """Multiply-accumulates of the matrix products of one step."""
        return 3 * self.hidden * (self.hidden + self.inputs)

    def input_products(self, x: Codes) -> Codes:
        """W_ih x + b_ih at ``product_frac``. x: (..., I) -> (..., 3H)."""
        f = self.formats
        if self.weight_ih is None or f.input is None or f.weight_ih is None:
            return np.broadcast_to(self.bias_ih, (*x.shape[:-1], 3 * self.hidden))
        return (
            align(matvec(self.weight_ih, x), f.weight_ih.frac + f.input.frac, f.product_frac) + self.bias_ih
        )

    def step(self, u: Codes, h: Codes) -> Codes:
        """One step. u: (batch, 3H) from ``input_products``; h: (batch, H) -> next h (batch, H)."""
        f, size, frac = self.formats, self.hidden, self.formats.product_frac
        recurrent_frac = f.weight_hh.frac + f.state.frac
        if self.reset is Reset.AFTER:
            assert self.bias_hh is not None
            v = align(matvec(self.weight_hh, h), recurrent_frac, frac) + self.bias_hh
            r, z = self._gates(u[:, : 2 * size] + v[:, : 2 * size])
            v_n = requantise(v[:, 2 * size :], frac, f.preactivation)
            rv_frac = f.gate.frac + f.preactivation.frac
            wide = max(frac, rv_frac)
            a_n = align(u[:, 2 * size :], frac, wide) + align(r * v_n, rv_frac, wide)
        else:
            v = align(matvec(self.weight_hh[: 2 * size], h), recurrent_frac, frac)
            r, z = self._gates(u[:, : 2 * size] + v)
            rh = requantise(r * h, f.gate.frac + f.state.frac, f.state)
            wide = frac
            a_n = u[:, 2 * size :] + align(matvec(self.weight_hh[2 * size :], rh), recurrent_frac, frac)
        n = self.candidate_table[requantise(a_n, wide, f.preactivation)]
        return self.blend(z, n, h)

    def blend(self, z: Codes, n: Codes, h: Codes) -> Codes:
        """n + z * (h - n), requantised to the state."""
        f = self.formats
        common = max(f.state.frac, f.candidate.frac)
        n_wide = align(n, f.candidate.frac, common)
        h_wide = align(h, f.state.frac, common)
        exact = (n_wide << f.gate.frac) + z * (h_wide - n_wide)
        return requantise(exact, common + f.gate.frac, f.state)

    def _gates(self, a: Codes) -> tuple[Codes, Codes]:
        gates = self.gate_table[requantise(a, self.formats.product_frac, self.formats.preactivation)]
        return gates[:, : self.hidden], gates[:, self.hidden :]

    def run(self, x: Codes | None, steps: int, h0: Codes | None = None, batch: int | None = None) -> Codes:
        """Run whole sequences.

        x: (batch, steps, I) input codes, or None for a layer without input.
        h0: (batch, H) initial state codes, or None for zero.
        batch: needed only if both x and h0 are None.
        Returns (batch, steps, H) if ``sequence`` else (batch, H).
        Raises ValueError if a shape or code does not fit.
        """
        batch = self._check_run(x, steps, h0, batch)
        h = np.zeros((batch, self.hidden), dtype=np.int64) if h0 is None else h0
        bias = np.broadcast_to(self.bias_ih, (batch, 3 * self.hidden))
        states = []
        for t in range(steps):
            h = self.step(bias if x is None else self.input_products(x[:, t]), h)
            if self.sequence:
                states.append(h)
        return np.stack(states, axis=1) if self.sequence else h

    def _check_run(self, x: Codes | None, steps: int, h0: Codes | None, batch: int | None) -> int:
        f = self.formats
        if steps < 1:
            raise ValueError(f"steps={steps} must be at least 1")
        if (x is None) != (f.input is None):
            raise ValueError(f"x must be {'None' if f.input is None else 'given'} for inputs={self.inputs}")
        if (h0 is not None) != self.initial_state:
            raise ValueError(
                f"h0 must be {'given' if self.initial_state else 'None'} for "
                f"initial_state={self.initial_state}"
            )
        size = batch
        if x is not None and f.input is not None:
            if x.ndim != 3 or x.shape[1:] != (steps, self.inputs):
                raise ValueError(f"x has shape {x.shape}, expected (batch, {steps}, {self.inputs})")
            f.input.check("x", x)
            size = x.shape[0]
        if h0 is not None:
            if h0.ndim != 2 or h0.shape[1] != self.hidden or (size is not None and h0.shape[0] != size):
                raise ValueError(f"h0 has shape {h0.shape}, expected ({size or 'batch'}, {self.hidden})")
            f.state.check("h0", h0)
            size = h0.shape[0]
        if size is None:
            raise ValueError("batch must be given if there is neither x nor h0")
        return int(size)


def matvec(weight: Codes, vectors: Codes) -> Codes:
    """Exact ``vectors @ weight.T``: (rows, n), (..., n) -> (..., rows).

    Uses float64 BLAS, exact while every partial sum stays below 2**53: 2**16 products of two
    17-bit codes are 2**50.
    """
    product = vectors.astype(np.float64) @ weight.T.astype(np.float64)
    return product.astype(np.int64)
