# SPDX-License-Identifier: BSD-3-Clause
"""A core with its control registers: the same codes as the core's, and registers that tell of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import (
    DenseFolding,
    Direction,
    Instance,
    Link,
    RtlModule,
    Transposer,
    emit_accelerator,
    emit_dense,
    emit_transposer,
    stitch,
)
from finn_flirnn.codegen.accelerator import AXI_LITE
from finn_flirnn.codegen.transposer import LIVE_DEPTH
from finn_flirnn.codegen.weight_image import image_identifier
from finn_flirnn.driver import DeviceError
from finn_flirnn.driver.registers import AT_ACCEPTED, AT_FINISHED, Registers
from finn_flirnn.hwops.weights import built_in_image, weight_image
from finn_flirnn.numerics import DenseLayer, Format
from finn_flirnn.sim import build_model, simulate
from finn_flirnn.sim.axi_lite import AxiLite
from finn_flirnn.sim.session import Session
from tests.fakes.finn_graphs import random_codes, random_network
from tests.rtl.layers import interleave, random_dense
from tests.rtl.loading import HIDDEN, LANES, STEPS, emit_loadable_design, image_words, loadable_graph

BUILD = "fedcba9876543210"
COLUMNS, OUTPUTS, SIMD, PE = 8, 3, 2, 1
GROUP = 2  # positions of the head that count as a group
TRANSFERS = (GROUP * COLUMNS // SIMD, GROUP * OUTPUTS // PE)


def head(folder: Path) -> tuple[DenseLayer, RtlModule]:
    layer = random_dense(np.random.default_rng(4), COLUMNS, OUTPUTS, Format(8, 7, narrow=True))
    return layer, emit_dense(layer, DenseFolding(PE, SIMD), folder, "head")


def accelerator(folder: Path) -> tuple[DenseLayer, RtlModule]:
    layer, core = head(folder / "core")
    return layer, emit_accelerator(core, folder, "accelerator", BUILD, TRANSFERS)


def test_the_cores_codes_come_through_under_pauses(tmp_path: Path) -> None:
    layer, module = accelerator(tmp_path)
    x = np.random.default_rng(1).integers(-127, 128, (40, COLUMNS))
    expected = layer.run(x).reshape(-1, PE)
    for stalls in (0.0, 0.6):
        given = simulate(
            build_model(module), {"in0_V": x.reshape(-1, SIMD)}, {"out0_V": len(expected)}, stalls=stalls
        )
        assert (given.outputs["out0_V"] == expected).all()


def test_registers_tell_the_build_and_count_whole_groups(tmp_path: Path) -> None:
    layer, module = accelerator(tmp_path)
    session = Session(build_model(module))
    session.advance(np.zeros((0, SIMD), dtype=np.int64), 1)  # the reset
    bus = AxiLite(build_model(module).library, session.instance, f"{AXI_LITE}_".lower(), pauses=0.3)
    registers = Registers(bus, BUILD)
    first = registers.status()
    assert (registers.build_id, first.groups_accepted, first.groups_finished) == (BUILD, 0, 0)
    assert (first.loadable, first.load_state, first.weights_id) == (False, 0, 0)
    x = np.random.default_rng(2).integers(-127, 128, (5 * GROUP, COLUMNS)).reshape(-1, SIMD)
    cut = len(x) - 1  # the last group lacks a transfer
    taken, given = session.advance(x[:cut], 400)
    assert taken == cut
    assert bus.exchange((), (AT_ACCEPTED, AT_FINISHED)) == (4, 4)
    taken, more = session.advance(x[cut:], 100)
    last = registers.status()
    assert (last.groups_accepted, last.groups_finished) == (5, 5)
    assert last.cycles - first.cycles > 500
    with pytest.raises(DeviceError, match="weights are fixed"):
        registers.load([1], timeout_s=1)
    assert (np.concatenate([given, more]) == layer.run(x.reshape(-1, COLUMNS)).reshape(-1, PE)).all()
    session.close()


def test_the_identifier_is_not_part_of_what_it_names(tmp_path: Path) -> None:
    _, core = head(tmp_path / "core")
    made = [emit_accelerator(core, tmp_path / b, "accelerator", b, (1, 1)) for b in (BUILD, BUILD[::-1])]
    texts = [module.sources[-1].read_text() for module in made]
    assert texts[0].replace(BUILD, BUILD[::-1]) == texts[1] != texts[0]
    assert made[0].sources[:-1] == made[1].sources[:-1]
    assert not any(path.name == "control_registers.sv" for path in core.sources)


def test_weights_are_loaded_through_the_registers_while_the_design_runs(tmp_path: Path) -> None:
    old, new = (random_network(seed, STEPS, HIDDEN, OUTPUTS) for seed in (1, 71))
    design = emit_loadable_design(loadable_graph(old), tmp_path / "core")
    x = random_codes(np.random.default_rng(5), old.input_format, 2 * LANES, STEPS, 1)
    expected = [interleave(network.run(x), LANES).reshape(2, -1) for network in (old, new)]
    sent = interleave(x, LANES).reshape(2, -1, 1)
    transfers = (sent.shape[1], expected[0].shape[1] // design.top.outputs[0].elements)
    module = emit_accelerator(design.top, tmp_path, "accelerator", BUILD, transfers)
    model = build_model(module)
    session = Session(model)
    _, given = session.advance(sent[0], 2000)
    assert (given.ravel() == expected[0][0]).all()
    registers = Registers(AxiLite(model.library, session.instance, f"{AXI_LITE}_".lower()), BUILD)
    before = registers.status()
    assert (before.loadable, before.load_state) == (True, 0)
    assert before.weights_id == image_identifier(built_in_image(design))
    image = weight_image(new, design)
    damaged = bytearray(image)
    damaged[40] ^= 1
    with pytest.raises(DeviceError, match="CRC is wrong"):
        registers.load(image_words(bytes(damaged)), timeout_s=60)
    assert registers.load(image_words(image), timeout_s=60) == 1 << 8 | 2
    after = registers.status()
    assert (after.weights_id, after.groups_finished) == (image_identifier(image), 1)
    _, given = session.advance(sent[1], 2000)
    assert (given.ravel() == expected[1][1]).all() and (expected[0] != expected[1]).any()
    session.close()


def test_a_core_with_ends_is_run_on_whole_groups(tmp_path: Path) -> None:
    """FINN's shell has no TLAST, so the core sees none, and none comes out."""
    kinds = [Transposer(d, 4, 3, 1, 1, Format(8, 0), partial=True) for d in Direction]
    instances = [Instance(str(k.direction), emit_transposer(k, tmp_path, str(k.direction))) for k in kinds]
    links = [
        Link(("gather", "out0_V"), ("scatter", "in0_V")),
        Link(("gather", "out1_V"), ("scatter", "in1_V"), depth=LIVE_DEPTH),
    ]
    core = stitch(tmp_path, "core", instances, links)
    assert core.inputs[0].last and core.outputs[0].last
    module = emit_accelerator(core, tmp_path, "accelerator", BUILD, (12, 12))
    assert not module.inputs[0].last and not module.outputs[0].last
    x = np.random.default_rng(3).integers(-128, 128, (5, 3, 4))
    given = simulate(build_model(module), {"in0_V": x.reshape(-1, 1)}, {"out0_V": x.size}, stalls=0.3)
    assert (given.outputs["out0_V"].reshape(5, 3, 4) == x).all()


@pytest.mark.parametrize(
    ("build", "transfers", "reason"),
    [
        ("123", TRANSFERS, "16 hexadecimal digits"),
        ("FEDCBA9876543210", TRANSFERS, "16 hexadecimal digits"),
        (BUILD, (0, 1), "must be positive"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    tmp_path: Path, build: str, transfers: tuple[int, int], reason: str
) -> None:
    _, core = head(tmp_path)
    with pytest.raises(ValueError, match=reason):
        emit_accelerator(core, tmp_path, "accelerator", build, transfers)
