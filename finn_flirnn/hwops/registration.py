# SPDX-License-Identifier: BSD-3-Clause
"""Make our hardware ops known to FINN: the only place that touches FINN's dictionaries.

FINN looks ops up by the exact domains ``finn.custom_op.fpgadataflow`` and
``finn.custom_op.fpgadataflow.rtl``; an op of another domain is passed over by its steps in silence.
"""

from __future__ import annotations

from finn.custom_op import fpgadataflow
from finn.custom_op.fpgadataflow import rtl
from qonnx.custom_op.registry import add_op_to_domain

from finn_flirnn.hwops.accelerator_rtl import Accelerator_rtl
from finn_flirnn.hwops.dense import DenseHead
from finn_flirnn.hwops.dense_rtl import DenseHead_rtl
from finn_flirnn.hwops.gru import GRU
from finn_flirnn.hwops.gru_rtl import GRU_rtl
from finn_flirnn.hwops.lane_transposer import LaneTransposer
from finn_flirnn.hwops.lane_transposer_rtl import LaneTransposer_rtl
from finn_flirnn.hwops.routing import Collect, Deal, Fork, LastStep
from finn_flirnn.hwops.routing_rtl import Collect_rtl, Deal_rtl, Fork_rtl, LastStep_rtl

DOMAIN = fpgadataflow.__name__
"""ONNX domain of the abstract ops."""
RTL_DOMAIN = rtl.__name__
"""ONNX domain of the ops in RTL."""
OPS = (GRU, DenseHead, LaneTransposer, Deal, Collect, Fork, LastStep)
LAYERS_RTL = (GRU_rtl, DenseHead_rtl, LaneTransposer_rtl, Deal_rtl, Collect_rtl, Fork_rtl, LastStep_rtl)
RTL_OPS = (*LAYERS_RTL, Accelerator_rtl)


def register() -> None:
    """Register the ops; calling it again changes nothing.

    FINN chooses implementations from its dictionaries; qonnx makes nodes, and lists a domain's ops, from
    a registry of its own.
    """
    for module, ops in ((fpgadataflow, OPS), (rtl, RTL_OPS)):
        for op in ops:
            module.register_custom_op(op)
            add_op_to_domain(module.__name__, op)
