# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle: fixed point, activation tables, GRU, dense head, Seq2Seq."""

from finn_flirnn.numerics.dense import DenseLayer
from finn_flirnn.numerics.fixed_point import Codes, Format, Reals, align, requantise, shift_round
from finn_flirnn.numerics.gru import GruFormats, GruLayer, Reset
from finn_flirnn.numerics.seq2seq import Seq2SeqNetwork
from finn_flirnn.numerics.tables import Activation, activation_table

__all__ = [
    "Activation",
    "Codes",
    "DenseLayer",
    "Format",
    "GruFormats",
    "GruLayer",
    "Reals",
    "Reset",
    "Seq2SeqNetwork",
    "activation_table",
    "align",
    "requantise",
    "shift_round",
]
