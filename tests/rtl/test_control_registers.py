# SPDX-License-Identifier: BSD-3-Clause
"""The register file on AXI4-Lite: its map, its counters, the load register, under random pauses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.driver.registers import Registers
from finn_flirnn.rtl import register_sources
from finn_flirnn.sim import verilate
from finn_flirnn.sim.axi_lite import AxiLite, Write
from finn_flirnn.sim.library import Instance
from finn_flirnn.sim.verilator import Library
from finn_flirnn.synth import SynthesisError
from finn_flirnn.synth.yosys import run_yosys

HERE = Path(__file__).parent
BUILD = 0xFEDC_BA98_7654_3210
WAIT = 40
PAUSES = (0.0, 0.3, 0.8)
MAGIC, VERSION, BUILD_LOW, BUILD_HIGH, FLAGS, SCRATCH = range(0x00, 0x18, 4)
TAKEN, GIVEN, LOAD, STATUS, WEIGHTS, CONTROL, CYCLES_LOW, CYCLES_HIGH = range(0x18, 0x38, 4)
CONSTANT = {
    MAGIC: int.from_bytes(b"FLRN", "little"),
    VERSION: 1,
    BUILD_LOW: BUILD & 0xFFFFFFFF,
    BUILD_HIGH: BUILD >> 32,
    STATUS: 0x1234_5602,
    WEIGHTS: 0xCAFE_F00D,
}


class Bench:
    """The module with a loader that takes words with some probability."""

    def __init__(self, library: Library, instance: Instance, pauses: float, seed: int) -> None:
        self._ports = {port.name: number for number, port in enumerate(library.ports)}
        self._instance = instance
        self._random = np.random.default_rng(seed)
        self.bus = AxiLite(library, instance, clock="clk", pauses=pauses, seed=seed, beside=self._beside)
        self.words: list[int] = []
        self.restarts: list[int] = []
        self.taken = self.given = 0
        self.ready = 0.5
        self.image = 0  # words after a restart that make a set
        constants = {"build": BUILD, "load_status": CONSTANT[STATUS], "weights_id": CONSTANT[WEIGHTS]}
        for name, value in constants.items():
            self._set(name, value)
        self.bus.reset("rst_n", 3)
        self.taken = self.given = 0
        self.words.clear()
        self.restarts.clear()

    def _beside(self) -> None:
        taken, given, ready = self._random.random(3) < (0.3, 0.2, self.ready)
        self.taken += taken
        self.given += given
        for name, value in (("taken", taken), ("given", given), ("ordy", ready)):
            self._set(name, value)
        if self._get("load_restart") and self._get("rst_n"):
            assert not self._get("ovld")
            self.restarts.append(len(self.words))
        if ready and self._get("ovld"):
            self.words.append(self._get("odat"))
            if self.image and self.restarts:
                whole = len(self.words) - self.restarts[-1] == self.image
                self._set("load_status", 1 << 8 | 2 if whole else 1)

    def _set(self, name: str, value: int) -> None:
        self._instance.write(self._ports[name], int(value))

    def _get(self, name: str) -> int:
        return self._instance.read(self._ports[name])


@contextmanager
def bench(loads: bool = True, pauses: float = 0.0, seed: int = 1) -> Iterator[Bench]:
    parameters = {"LOADS": int(loads), "WAIT": WAIT}
    library = verilate("control_registers", register_sources(), parameters=parameters)
    with Instance(library, HERE, seed) as instance:
        yield Bench(library, instance, pauses, seed)


@pytest.mark.parametrize("pauses", PAUSES)
def test_constants_and_unknown_addresses_read_as_the_map_says(pauses: float) -> None:
    with bench(pauses=pauses) as it:
        addresses = [*CONSTANT, FLAGS, LOAD, CONTROL, *range(0x38, 0x1000, 0x7C)] * 2
        expected = [CONSTANT.get(address, int(address == FLAGS)) for address in addresses]
        assert list(it.bus.exchange((), addresses)) == expected
        assert it.bus.read(MAGIC + 3) == CONSTANT[MAGIC]  # the low two bits of an address do not count


@pytest.mark.parametrize("pauses", PAUSES)
def test_random_writes_change_the_scratch_register_alone_by_their_strobes(pauses: float) -> None:
    rng = np.random.default_rng(7)
    with bench(pauses=pauses, seed=3) as it:
        scratch = 0
        for _ in range(30):
            writes = []
            known = [SCRATCH, SCRATCH, MAGIC, TAKEN, STATUS, 0x40, 0xFFC]
            for address in rng.choice(known, rng.integers(1, 5)):
                write = Write(int(address), int(rng.integers(1 << 32)), int(rng.integers(16)))
                writes.append(write)
                if address == SCRATCH:
                    mask = sum(0xFF << 8 * i for i in range(4) if write.strobes >> i & 1)
                    scratch = scratch & ~mask | write.value & mask
            # reads beside the writes see constants only: the two are not ordered
            assert list(it.bus.exchange(writes, [*CONSTANT])) == [*CONSTANT.values()]
            assert it.bus.read(SCRATCH) == scratch
        assert not it.words and not it.restarts


def test_counters_count_every_group_and_every_cycle_and_are_not_written() -> None:
    with bench(pauses=0.5, seed=5) as it:
        low_before, cycles_before = it.bus.read(CYCLES_LOW), it.bus.cycles
        it.bus.idle(100)
        it.bus.write(TAKEN, 0)
        low, cycles = it.bus.read(CYCLES_LOW), it.bus.cycles
        # a read samples the counter one to a few cycles before its answer is taken
        assert abs(low - low_before - (cycles - cycles_before)) < 40
        it.ready = 0.0
        taken, given = it.taken, it.given
        assert taken <= it.bus.read(TAKEN) <= it.taken
        assert given <= it.bus.read(GIVEN) <= it.given
        assert min(taken, given) > 10
        assert it.bus.read(CYCLES_HIGH) == 0


@pytest.mark.parametrize("pauses", PAUSES)
def test_every_word_for_the_loader_arrives_once_and_in_order(pauses: float) -> None:
    words = np.random.default_rng(2).integers(1 << 32, size=100).tolist()
    with bench(pauses=pauses, seed=4) as it:
        it.bus.exchange([Write(LOAD, word) for word in words], [MAGIC] * 50)
        it.bus.idle(30)
        assert it.words == words
        it.bus.write(LOAD, 5, strobes=7)  # not a whole word
        it.bus.idle(30)
        assert it.words == words
        assert it.bus.read(FLAGS) == 1


def test_a_restart_comes_after_the_words_before_it_and_withdraws_one_that_waits() -> None:
    with bench(seed=6) as it:
        it.bus.exchange([Write(LOAD, 11), Write(LOAD, 12)], ())
        it.bus.idle(30)
        it.ready = 0.0
        it.bus.write(LOAD, 13)
        it.bus.write(CONTROL, 2)  # not bit 0
        it.bus.idle(10)
        assert it.restarts == []
        it.bus.write(CONTROL, 1)
        it.ready = 1.0
        it.bus.write(LOAD, 14)
        it.bus.idle(10)
        assert it.words == [11, 12, 14]
        assert it.restarts == [2]


def test_a_loader_that_takes_nothing_does_not_hold_the_bus_and_the_loss_is_told() -> None:
    with bench(seed=8) as it:
        it.ready = 0.0
        it.bus.write(LOAD, 21)
        before = it.bus.cycles
        it.bus.write(LOAD, 22)
        assert WAIT <= it.bus.cycles - before < WAIT + 10
        assert it.bus.read(FLAGS) == 3
        it.ready = 1.0
        it.bus.idle(5)
        assert it.words == [21]
        it.bus.write(CONTROL, 1)
        assert it.bus.read(FLAGS) == 1


def test_without_run_time_weights_there_is_nothing_to_load() -> None:
    with bench(loads=False) as it:
        it.bus.exchange([Write(LOAD, 1), Write(LOAD, 2), Write(CONTROL, 1)], ())
        it.bus.idle(20)
        assert not it.words and not it.restarts
        assert [it.bus.read(a) for a in (FLAGS, STATUS, WEIGHTS)] == [0, 0, 0]


def test_the_driver_loads_an_image_through_the_registers() -> None:
    words = np.random.default_rng(9).integers(1 << 32, size=20).tolist()
    with bench(pauses=0.3, seed=10) as it:
        it.image = len(words)
        it.bus.write(LOAD, 1)  # what an earlier attempt has left
        it.bus.idle(20)
        assert Registers(it.bus, f"{BUILD:016x}").load(words, timeout_s=10) == 1 << 8 | 2
        assert it.words == [1, *words]
        assert it.restarts == [1]


def prove(directory: Path, source: Path, kind: str, steps: int) -> None:
    """Prove one kind of property, STABLE by induction. Raises SynthesisError."""
    kinds = {name: int(name == kind) for name in ("STABLE", "ALIVE", "RIGHT")}
    settings = [word for name, value in kinds.items() for word in ("-set", name, str(value))]
    induction = ["-tempinduct", "-maxsteps", str(steps)]
    induction += [] if kind == "STABLE" else ["-tempinduct-baseonly"]
    commands = [
        ["read_verilog", "-sv", "-formal", str(source), str(HERE / "axi_lite_properties.sv")],
        ["chparam", *settings, "axi_lite_properties"],
        ["prep", "-flatten", "-top", "axi_lite_properties"],
        ["opt", "-full"],
        ["chformal", "-lower"],
        ["sat", "-prove-asserts", "-set-assumes", *induction, "-verify"],
    ]
    run_yosys(commands, directory, timeout_s=300)


@pytest.mark.parametrize(("kind", "steps"), [("STABLE", 4), ("ALIVE", 12), ("RIGHT", 10)])
def test_the_slave_keeps_the_protocol_whatever_the_master_does(tmp_path: Path, kind: str, steps: int) -> None:
    prove(tmp_path, register_sources()[0], kind, steps)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("STABLE", "bvalid    <= write || (bvalid && !bready)", "bvalid    <= write"),
        ("STABLE", "assign read = has_raddr && (!rvalid || rready)", "assign read = has_raddr"),
        ("STABLE", "assign awready = !has_waddr", "assign awready = 1'b1"),
        ("ALIVE", "(!stuck || late)", "!stuck"),
        ("RIGHT", "if (strobes[i]) scratch", "if (strobes[0]) scratch"),
    ],
)
def test_a_slave_that_breaks_the_protocol_is_found(tmp_path: Path, kind: str, right: str, wrong: str) -> None:
    text = register_sources()[0].read_text()
    assert right in text
    bad = tmp_path / "control_registers.sv"
    bad.write_text(text.replace(right, wrong))
    with pytest.raises(SynthesisError, match="proof did fail"):
        prove(tmp_path, bad, kind, 12)
