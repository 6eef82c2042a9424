# SPDX-License-Identifier: BSD-3-Clause
"""finn_flirnn: quantised recurrent networks as FINN streaming dataflow accelerators."""

__version__ = "0.1.0"
