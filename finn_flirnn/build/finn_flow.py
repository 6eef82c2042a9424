# SPDX-License-Identifier: BSD-3-Clause
"""FINN's flow for a recurrent model: from QONNX to generated hardware and, with Vivado, to a bitfile."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finn_flirnn.build.amd import missing_for_board
from finn_flirnn.build.finn_result import (
    FinnFlowResult,
    SkippedStep,
    connections_of,
    layers_of,
    path_cycles_of,
)
from finn_flirnn.build.finn_runner import run_builder
from finn_flirnn.build.finn_steps import FlowSettings
from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.codegen import Multiplier
from finn_flirnn.driver.order import GROUPS

OURS = "finn_flirnn.build.finn_steps"
DEPTHS_STEP = f"{OURS}.step_set_stream_depths"
"""After it the graph is all RTL ops of ours, with the depths of their streams."""
OPEN_STEPS = (
    f"{OURS}.step_infer_recurrent",
    f"{OURS}.step_set_recurrent_folding",
    f"{OURS}.step_unroll_and_copy",
    "step_create_dataflow_partition",
    "step_specialize_layers",
    "step_minimize_bit_width",
    DEPTHS_STEP,
    "step_generate_estimate_reports",
    "step_generate_hardware",
)
"""What needs no vendor tool. step_generate_hardware: code, width converters and FIFOs."""
VIVADO_STEPS = (
    f"{OURS}.step_join_design",
    "step_create_stitched_ip",
    "step_out_of_context_synthesis",
    "step_prepare_synthesis",
    "step_synthesize_bitfile",
    "step_make_driver",
    "step_deployment_package",
)
"""What needs Vivado, and for the bitfile Vitis HLS: FINN's DMA engines are HLS."""
NOT_ASKED_FOR = 'the open flow was asked for; set "flow" to "auto" or "vivado" to run it'


def run_finn_flow(
    qonnx_path: Path,
    output_dir: Path,
    *,
    board: str,
    clock_ns: float,
    folding: Mapping[str, Mapping[str, int]],
    lanes: int,
    unroll: Mapping[str, int] | None = None,
    copies: int = 1,
    vivado: bool,
    decoder_lanes: int = 0,
    order: str = GROUPS,
    ram_style: str = "auto",
    multiplier: Multiplier | None = None,
    design: Path | None = None,
    runtime_weights: bool = False,
) -> FinnFlowResult:
    """Run FINN's builder on an exported model.

    qonnx_path: QONNX with the recurrence as Scans. board: a board by FINN's name. folding: layer name ->
    {"PE", "SIMD", "InputSIMD"}. lanes: pixels C that travel together. unroll: layer name -> engines in a
    chain. copies: of the whole pipeline. vivado: go on to the bitfile if Vivado is there. decoder_lanes:
    behind the encoder, 0 for as many. order: of the data (driver/order.py). ram_style: where states lie
    (GruFolding). multiplier: the device's, if FINN's board has another. design: folder of the stitched
    design (rtl_files), which the bitfile will hold; needed with ``vivado``. runtime_weights: docs/weights.md.

    Writes output_dir/model/<number>_<step>.onnx after every step, and FINN's own files below
    output_dir/finn. Raises FinnFlowError if a step fails, ValueError for a board that FINN does not know
    or a bitfile without a design.
    """
    finn_dir = (output_dir / "finn").resolve()
    tools = prepare_finn(finn_dir / "build")
    reason = missing_for_board(tools, board) if vivado else NOT_ASKED_FOR
    if not reason and design is None:
        raise ValueError("a bitfile needs a stitched design; give the folder rtl/ of the build as design")
    steps = [*OPEN_STEPS, *(() if reason else VIVADO_STEPS)]
    settings_file = finn_dir / "settings.json"
    folded = {name: dict(values) for name, values in folding.items()}
    products = multiplier.name if multiplier else ""
    settings = FlowSettings(
        lanes,
        folded,
        dict(unroll or {}),
        copies,
        decoder_lanes,
        order,
        ram_style,
        products,
        str(design.resolve()) if design else "",
        runtime_weights,
    )
    settings.write(settings_file)
    config = _configuration(finn_dir, settings_file, board, clock_ns, steps)
    run_builder(qonnx_path.resolve(), config)
    return _result(finn_dir, output_dir / "model", steps, reason)


def finn_period_ns(clock_ns: float) -> float:
    """A period a billionth shorter: FINN's shell truncates 1 / period to whole MHz, 30 to 29."""
    return clock_ns * (1 - 1e-9)


def _configuration(finn_dir: Path, settings_file: Path, board: str, clock_ns: float, steps: list[str]) -> Any:
    from finn.builder.build_dataflow_config import (
        AutoFIFOSizingMethod,
        DataflowBuildConfig,
        DataflowOutputType,
        LogLevel,
        ShellFlowType,
    )
    from finn.util.basic import alveo_part_map, part_map

    if board not in part_map:
        raise ValueError(f"board={board!r} is not known to FINN; choose from {', '.join(part_map)}")
    return DataflowBuildConfig(
        output_dir=str(finn_dir),
        board=board,
        shell_flow_type=ShellFlowType.VITIS_ALVEO if board in alveo_part_map else ShellFlowType.VIVADO_ZYNQ,
        synth_clk_period_ns=finn_period_ns(clock_ns),
        folding_config_file=settings_file,
        # takes the depths from the nodes, where our step has put them; nothing is simulated
        auto_fifo_strategy=AutoFIFOSizingMethod.FORCE_MINIMAL_FIFOS,
        generate_outputs=[
            DataflowOutputType.ESTIMATE_REPORTS,
            DataflowOutputType.STITCHED_IP,
            DataflowOutputType.OOC_SYNTH,
            DataflowOutputType.BITFILE,
            DataflowOutputType.PYNQ_DRIVER,
            DataflowOutputType.DEPLOYMENT_PACKAGE,
        ],
        steps=steps,
        enable_build_pdb_debug=False,
        console_log_level=LogLevel.NONE,
    )


def _result(finn_dir: Path, model_dir: Path, steps: list[str], reason: str | None) -> FinnFlowResult:
    from qonnx.core.modelwrapper import ModelWrapper

    model_dir.mkdir(parents=True, exist_ok=True)
    made = finn_dir / "intermediate_models"
    stages = []
    for number, step in enumerate(name.rsplit(".", 1)[-1] for name in steps):
        target = model_dir / f"{number + 1:02}_{step.removeprefix('step_')}.onnx"
        stages.append(Path(shutil.copyfile(made / f"{step}.onnx", target)))
    parent = Path(shutil.copyfile(made / "dataflow_parent.onnx", model_dir / "dataflow_parent.onnx"))
    hardware = stages[len(OPEN_STEPS) - 1]  # the steps after it wrap the graph for the board
    layers = stages[OPEN_STEPS.index(DEPTHS_STEP)]
    model = ModelWrapper(str(hardware))
    return FinnFlowResult(
        model_path=hardware,
        layers_path=layers,
        parent_path=parent,
        stages=tuple(stages),
        layers=layers_of(model),
        connections=connections_of(model),
        path_cycles=path_cycles_of(model),
        skipped=tuple(SkippedStep(step, reason) for step in VIVADO_STEPS) if reason else (),
    )
