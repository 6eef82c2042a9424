# SPDX-License-Identifier: BSD-3-Clause
"""FINN's RTL simulation (``finn.xsi``) on Verilator instead of Vivado's simulator.

FINN's engine and adapter stay as they are; only the module ``xsi`` below them and the compilation are
replaced.
"""

from __future__ import annotations

import sys

from finn_flirnn.sim.xsi import design
from finn_flirnn.sim.xsi.compiling import compile_sim_obj

ENGINE_MODULE = "xsi"
"""Under this name ``finn_xsi.sim_engine`` imports what Vivado's binding provides."""


def install() -> None:
    """Put Verilator below ``finn.xsi``; must come before ``finn.builder.build_dataflow`` is imported.

    FINN_BUILD_DIR must be set already. Again does nothing new.
    Raises RuntimeError if Vivado's binding is loaded already.
    """
    if sys.modules.setdefault(ENGINE_MODULE, design) is not design:
        raise RuntimeError(f"module {ENGINE_MODULE} is loaded already; call install() earlier")
    import finn.xsi
    import finn_xsi.adapter
    import finn_xsi.sim_engine

    finn_xsi.adapter.compile_sim_obj = compile_sim_obj
    finn_xsi.adapter.get_simkernel_so = _no_kernel
    finn.xsi.SimEngine = finn_xsi.sim_engine.SimEngine
    for name in finn.xsi._LAZY_NAMES - {"SimEngine"}:
        setattr(finn.xsi, name, getattr(finn_xsi.adapter, name))
    finn.xsi.is_available = finn.xsi.ensure_available = _available


def _no_kernel() -> str:
    return "none: Verilator"


def _available() -> bool:
    return True
