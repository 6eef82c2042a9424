# SPDX-License-Identifier: BSD-3-Clause
"""Transfers through small modules, right and wrong ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.numerics import Format
from finn_flirnn.sim import (
    DeadlockError,
    ProtocolError,
    SimulationError,
    SimulationResult,
    ToolError,
    VerilatedModel,
    build_model,
    simulate,
)

RTL = Path(__file__).parents[1] / "fakes" / "rtl"
BYTES = Format(8, 0)
COUNT = 200
CODES = np.random.default_rng(0).integers(-128, 128, (COUNT, 2))


def pipe(name: str, directory: Path = RTL) -> VerilatedModel:
    """A sample module of one input and one output, two bytes a transfer."""
    ports = [(StreamPort(stream, 2, BYTES),) for stream in ("in0_V", "out0_V")]
    return build_model(RtlModule(name, directory, (Path(f"{name}.sv"),), (), *ports))


def run(model: VerilatedModel, codes: np.ndarray = CODES, **options: object) -> SimulationResult:
    return simulate(model, {"in0_V": codes}, {"out0_V": len(codes)}, **options)  # type: ignore[arg-type]


def adder(bits: int, elements: int) -> VerilatedModel:
    fmt = Format(bits, 0)
    inputs = (StreamPort("in0_V", elements, fmt), StreamPort("in1_V", elements, fmt))
    module = RtlModule(
        "wide_adder", RTL, (Path("wide_adder.sv"),), (), inputs, (StreamPort("out0_V", elements, fmt),)
    )
    return build_model(module, parameters={"BITS": bits, "ELEMENTS": elements})


@pytest.mark.parametrize(
    "stalls", [0.0, 0.1, 0.9, {"in0_V": 0.9}, {"out0_V": 0.9}, {"in0_V": 0.5, "out0_V": 0.3}]
)
def test_stalls_change_times_but_no_codes(stalls: float | dict[str, float]) -> None:
    result = run(pipe("one_register"), stalls=stalls)
    assert np.array_equal(result.outputs["out0_V"], CODES)
    assert (result.cycles > COUNT + 1) == (stalls != 0.0)


def test_stamps_tell_the_cycle_of_every_transfer() -> None:
    result = run(pipe("one_register"))
    assert result.stamps["in0_V"].tolist() == list(range(COUNT))
    assert result.stamps["out0_V"].tolist() == list(range(1, COUNT + 1))
    assert (result.first_cycle("out0_V"), result.last_cycle("out0_V"), result.cycles) == (1, 200, 201)
    assert result.steady_cycles("out0_V", transfers=4, skip=3) == 4.0


def test_a_rate_needs_two_groups() -> None:
    with pytest.raises(ValueError, match="simulate longer"):
        run(pipe("one_register")).steady_cycles("out0_V", transfers=COUNT)


@pytest.mark.parametrize(("bits", "elements"), [(20, 5), (7, 1), (8, 4), (13, 5), (32, 2), (31, 9), (3, 43)])
def test_wide_streams_keep_every_bit(bits: int, elements: int) -> None:
    half = 1 << (bits - 2)
    rng = np.random.default_rng(bits)
    a, b = rng.integers(-half, half, (2, 50, elements))
    result = simulate(adder(bits, elements), {"in0_V": a, "in1_V": b}, {"out0_V": 50}, stalls=0.4)
    assert np.array_equal(result.outputs["out0_V"], a + b)


def test_the_same_seed_gives_the_same_stamps_and_another_seed_others() -> None:
    model = pipe("one_register")
    first, again, other = (run(model, stalls=0.5, seed=seed).stamps["out0_V"] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("reset_at", [0, 1, 77, COUNT - 1])
def test_after_a_reset_in_the_middle_the_result_is_that_of_a_fresh_start(reset_at: int) -> None:
    result = run(pipe("one_register"), stalls=0.3, reset_at=reset_at)
    assert np.array_equal(result.outputs["out0_V"], CODES)


def test_a_reset_after_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="reset_at=100000 must be less"):
        run(pipe("one_register"), reset_at=100_000)


def test_a_deadlock_names_the_streams_that_wait() -> None:
    with pytest.raises(DeadlockError) as error:
        run(pipe("stops_after_five"), patience=100)
    assert "in0_V: waits, 5 of 200 transfers, TVALID=1 TREADY=0" in str(error.value)
    assert "out0_V: waits, 5 of 200 transfers, TVALID=0 TREADY=1" in str(error.value)


def test_max_cycles_ends_a_run() -> None:
    with pytest.raises(DeadlockError, match="max_cycles=50"):
        run(pipe("one_register"), max_cycles=50)


def test_data_that_changes_under_back_pressure_is_a_protocol_error() -> None:
    model = pipe("unstable")
    assert np.array_equal(run(model).outputs["out0_V"], CODES)  # no stall, no harm
    with pytest.raises(ProtocolError, match="out0_V changed TVALID or TDATA"):
        run(model, stalls={"out0_V": 0.5})


def test_the_padding_of_inputs_holds_anything_and_that_of_outputs_must_be_zero() -> None:
    ports = [(StreamPort(stream, 2, Format(7, 0)),) for stream in ("in0_V", "out0_V")]
    model = build_model(RtlModule("one_register", RTL, (Path("one_register.sv"),), (), *ports))
    with pytest.raises(ProtocolError, match="the 2 padding bits of out0_V must be 0"):
        run(model, CODES // 2)  # this module hands its input's padding on


def test_surplus_output_is_a_protocol_error_unless_only_the_first_outputs_are_wanted() -> None:
    model = pipe("gives_twice")
    with pytest.raises(ProtocolError, match="out0_V gives more than it should"):
        run(model)
    result = run(model, exact=False)
    assert np.array_equal(result.outputs["out0_V"], np.repeat(CODES, 2, axis=0)[:COUNT])


def test_a_failed_assertion_reports_its_text_and_cycle() -> None:
    codes = CODES.copy()
    codes[[10, 20]] = 1
    codes[20] = -1
    with pytest.raises(SimulationError, match=r"(?s)at cycle 20: .*word ffff came"):
        run(pipe("refuses_ffff"), codes)


def test_finish_inside_the_design_ends_the_run_with_an_error() -> None:
    with pytest.raises(SimulationError, match="called \\$finish"):
        run(pipe("finishes"), np.zeros((3, 2), dtype=np.int64))


def test_a_register_without_reset_starts_at_random() -> None:
    model = pipe("adds_unreset_register")
    results = {run(model, np.zeros((1, 2), np.int64), seed=s).outputs["out0_V"].tobytes() for s in range(8)}
    assert len(results) > 1


def test_memory_files_are_found_beside_the_module_and_read_anew(tmp_path: Path) -> None:
    shutil.copy(RTL / "table_lookup.sv", tmp_path)
    codes = np.stack([np.arange(16), np.zeros(16, dtype=np.int64)], axis=1)
    model = pipe("table_lookup", tmp_path)
    for factor in (3, 5):
        (tmp_path / "table.mem").write_text("".join(f"{factor * i:04x}\n" for i in range(16)))
        assert run(model, codes).outputs["out0_V"][:, 0].tolist() == [factor * i for i in range(16)]


def test_a_missing_memory_file_is_named(tmp_path: Path) -> None:
    shutil.copy(RTL / "table_lookup.sv", tmp_path)
    model = pipe("table_lookup", tmp_path)
    with pytest.raises(SimulationError, match=str(tmp_path / "table.mem")):
        run(model, np.zeros((1, 2), np.int64))


@pytest.mark.parametrize(
    ("inputs", "outputs", "stalls", "message"),
    [
        ({}, {"out0_V": 1}, 0.0, "inputs name"),
        ({"in0_V": CODES}, {}, 0.0, "outputs name"),
        ({"in0_V": CODES}, {"out0_V": 1}, {"in9_V": 0.1}, "stalls name"),
        ({"in0_V": CODES}, {"out0_V": 1}, 1.0, r"must lie in \[0, 1\)"),
        ({"in0_V": CODES[:, :1]}, {"out0_V": 1}, 0.0, r"shape \(transfers, 2\)"),
    ],
)
def test_calls_that_do_not_fit_the_module_are_refused(
    inputs: dict[str, np.ndarray], outputs: dict[str, int], stalls: float | dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(pipe("one_register"), inputs, outputs, stalls=stalls)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        (("in0_V", "out1_V", 2, 2), "has no port out1_V_TDATA"),
        (("in0_V", "out0_V", 2, 3), "out0_V_TDATA .* must be an output of 24 bits, but is an output of 16"),
        (("out0_V", "in0_V", 2, 2), "out0_V_TDATA .* must be an input of 16 bits, but is an output"),
    ],
)
def test_ports_other_than_stated_are_refused(streams: tuple[str, str, int, int], message: str) -> None:
    source, target, taken, given = streams
    module = RtlModule(
        "one_register",
        RTL,
        (Path("one_register.sv"),),
        (),
        (StreamPort(source, taken, BYTES),),
        (StreamPort(target, given, BYTES),),
    )
    with pytest.raises(ToolError, match=message):
        build_model(module)


def test_an_input_that_no_stream_drives_is_refused() -> None:
    fmt = Format(20, 0)
    module = RtlModule(
        "wide_adder",
        RTL,
        (Path("wide_adder.sv"),),
        (),
        (StreamPort("in0_V", 5, fmt),),
        (StreamPort("out0_V", 5, fmt),),
    )
    with pytest.raises(ToolError, match="input in1_V_TVALID of wide_adder belongs to no stream"):
        build_model(module)


def test_pauses_last_as_long_as_told() -> None:
    stamps = run(pipe("one_register"), stalls={"in0_V": 0.05}, pause=40).stamps["in0_V"]
    gaps = np.diff(stamps.astype(np.int64)) - 1
    assert 20 < gaps.max() <= 40 * 3  # a pause may follow a pause at once
    assert (gaps == 0).mean() > 0.8
    with pytest.raises(ValueError, match="pause=0 must be at least 1"):
        run(pipe("one_register"), pause=0)
