# SPDX-License-Identifier: BSD-3-Clause
"""Quantised recurrent models in Brevitas: layers, Seq2SeqLite, training, checkpoints."""

from finn_flirnn.models.formats import GruQuantisation, gru_quantisation
from finn_flirnn.models.quant_gru import QuantGRU
from finn_flirnn.models.quant_head import QuantHead
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite

__all__ = ["GruQuantisation", "QuantGRU", "QuantHead", "Seq2SeqLite", "gru_quantisation"]
