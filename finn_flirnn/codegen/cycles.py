# SPDX-License-Identifier: BSD-3-Clause
"""Cycles of the engines, from their structure; compared with simulation in the tests."""

from __future__ import annotations

from finn_flirnn.codegen.gru import gru_arrays, gru_state_memory
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.types import DenseFolding, GruFolding
from finn_flirnn.numerics import DenseLayer, GruLayer, Reset

FIFO_LATENCY = 2
CELL_LATENCY = {"after": 17, "reset": 9, "candidate": 10}
"""LATENCY of pipeline_out in rtl/gru_after.sv and rtl/gru_before.sv."""


def gru_step_cycles(layer: GruLayer, folding: GruFolding, multiplier: Multiplier = Multiplier.DSP48E2) -> int:
    """Cycles in which all lanes advance by one step: their work, or the ring's latency if that is longer."""
    nf, sf = layer.hidden // folding.pe, layer.hidden // folding.simd
    work = folding.lanes * gru_lane_step_cycles(layer, folding)
    return max(work, _ring_latency(layer, folding, multiplier) + (nf - 1) * sf)


def gru_lane_step_cycles(layer: GruLayer, folding: GruFolding) -> int:
    """Cycles that one step of one lane keeps the multipliers busy."""
    folding.check(layer.hidden, layer.inputs)
    recurrent = (layer.hidden // folding.pe) * (layer.hidden // folding.simd)
    words = layer.inputs // folding.input_simd if layer.inputs else 1
    return max(recurrent, layer.hidden // folding.cell_pe(layer.hidden) * words)


def gru_cycles(
    layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier = Multiplier.DSP48E2
) -> int:
    """Cycles of one group of ``folding.lanes`` pixels, in steady state with streams always ready.

    The first step of a group does not wait for the ring: it starts while the group before drains.
    """
    first = folding.lanes * gru_lane_step_cycles(layer, folding)
    return first + (steps - 1) * gru_step_cycles(layer, folding, multiplier)


def dense_cycles(layer: DenseLayer, positions: int, folding: DenseFolding) -> int:
    """Cycles of ``positions`` positions, in steady state with streams always ready."""
    folding.check(layer.outputs, layer.inputs)
    return positions * (layer.outputs // folding.pe) * (layer.inputs // folding.simd)


def _ring_latency(layer: GruLayer, folding: GruFolding, multiplier: Multiplier) -> int:
    """Cycles from a vector's last word entering the matrix-vector unit, were it a one-fold unit, to the
    last word of the new state entering it."""
    arrays = gru_arrays(layer, folding, multiplier)
    cell = folding.cell_pe(layer.hidden)
    sf = layer.hidden // folding.simd
    parts, widen = folding.pe // cell, int(folding.simd > cell)
    home = FIFO_LATENCY + widen + (gru_state_memory(layer, folding, multiplier).latency or FIFO_LATENCY)
    product = arrays["wh"].latency + FIFO_LATENCY
    if layer.reset is Reset.AFTER:
        return product + parts - 1 + CELL_LATENCY["after"] + home
    nf = layer.hidden // folding.pe
    first = product + CELL_LATENCY["reset"] + FIFO_LATENCY + widen
    second = arrays["wn"].latency + FIFO_LATENCY + CELL_LATENCY["candidate"]
    return first + 2 * (parts - 1) + (nf - 1) * sf + second + home
