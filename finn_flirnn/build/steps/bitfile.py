# SPDX-License-Identifier: BSD-3-Clause
"""Step bitfile: the bitstream, by FINN's own flow where Vivado and Vitis HLS are there, or by open tools."""

from __future__ import annotations

import shutil

from finn_flirnn.build.amd import ALVEO, ZynqOutputs, first_errors, keep_logs, missing_for_board
from finn_flirnn.build.board_files import CONFIGURATION
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.config import Flow
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.errors import StepSkipped
from finn_flirnn.build.finn_runner import FinnFlowError
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.steps.convert import run_flow
from finn_flirnn.build.toolchain import find_tools
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import write_json
from finn_flirnn.synth import pack_bitstream

FAILED_LOGS = "vivado_logs.zip"
XCLBIN = "bitfile/finn-accel-0.xclbin"


def run(context: BuildContext) -> None:
    """Write bitfile/, Vivado's reports and the vendor's part of synthesis.json, or say why not."""
    config = context.config
    if config.target.is_open:
        pack_bitstream(context.output / "board" / CONFIGURATION, context.make(f"bitfile/{config.name}.bit"))
        return
    if config.flow is Flow.OPEN:
        raise StepSkipped('"flow" is "open"; set it to "auto" or "vivado" for an AMD bitstream')
    missing = missing_for_board(find_tools(), config.target.finn_name)
    if missing:
        if config.flow is Flow.VIVADO:
            raise BuildError(f'"flow": "vivado" needs Vivado, but {missing}')
        raise StepSkipped(f"{missing}, then build again with --resume")
    if config.clock_mhz != round(config.clock_mhz):
        raise BuildError(f"clock_mhz={config.clock_mhz:g} must be whole: FINN's shell takes whole MHz")
    scratch = context.output / STAGING / "vivado"
    logs = context.output / FAILED_LOGS
    logs.unlink(missing_ok=True)
    try:
        run_flow(context, scratch, vivado=True)
        if config.target.finn_name in ALVEO:
            shutil.copyfile(scratch / "finn" / XCLBIN, context.make(f"bitfile/{config.name}.xclbin"))
        else:
            keep_zynq(context, ZynqOutputs.below(scratch / "finn"))
    except (BuildError, FinnFlowError) as error:
        keep_logs(scratch, logs)
        said = "".join(f"\n  {line}" for line in first_errors(scratch))
        raise BuildError(f"{error}{said}\nthe tools' logs and scripts are in {logs}") from error


def keep_zynq(context: BuildContext, made: ZynqOutputs) -> None:
    """Copy bitfile and reports. Raises BuildError if timing is not met: such a bitfile computes anything."""
    report = made.report()
    timing = report["design"]["timing"]
    if not timing["met"]:
        raise BuildError(
            f"timing must be met at {context.config.clock_mhz:g} MHz, but the worst slack is "
            f"{timing['wns_ns']} ns; lower clock_mhz"
        )
    name = context.config.name
    for path, target in (
        (made.bitfile, f"bitfile/{name}.bit"),
        (made.handoff, f"bitfile/{name}.hwh"),
        (made.utilisation, "bitfile/reports/utilisation.xml"),
        (made.timing, "bitfile/reports/timing.rpt"),
        (made.accelerator_utilisation, "bitfile/reports/accelerator_utilisation.rpt"),
        (made.accelerator_timing, "bitfile/reports/accelerator_timing.rpt"),
    ):
        shutil.copyfile(path, context.make(target))
    write_json(context.make(f"{PARTS}/synthesis_vivado.json"), report)
