# SPDX-License-Identifier: BSD-3-Clause
"""The driver against the Verilated board, over the pins of its UART, with faults on the line."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.build.board_files import load_board
from finn_flirnn.build.simulated_link import SimulatedPort, open_port
from finn_flirnn.codegen.ulx3s import ulx3s_bench
from finn_flirnn.driver import (
    Accelerator,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    UartDevice,
    WrongBuildError,
)
from finn_flirnn.driver.frames import OVERHEAD, Frame, FrameType
from finn_flirnn.driver.uart_device import TRIES
from finn_flirnn.driver.validate import main as validate
from finn_flirnn.physics.preprocess import normalise
from tests.fakes.small_board import FRAME, LANES, PIXELS, PRESET, SETTINGS, Build, make_build

SLACK_S = 1e-3
FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        fakes = importlib.import_module("oracle_engine")
    return make_build(tmp_path_factory.mktemp("build"), fakes.small_network(PRESET.gates))


class FaultyLine:
    """A port whose line does something to the bytes on their way.

    to_board, to_host: from the number of the byte on the line and the byte to what arrives.
    """

    def __init__(
        self,
        port: SimulatedPort,
        to_board: Callable[[int, int], bytes] | None = None,
        to_host: Callable[[int, int], bytes] | None = None,
    ) -> None:
        self.port = port
        self._faults = {"out": to_board, "in": to_host}
        self._seen = {"out": 0, "in": 0}

    def write(self, data: bytes) -> None:
        self.port.write(self._pass("out", data))

    def read(self, timeout_s: float) -> bytes:
        while data := self.port.read(timeout_s):
            if passed := self._pass("in", data):
                return passed
        return b""

    def close(self) -> None:
        self.port.close()

    def _pass(self, way: str, data: bytes) -> bytes:
        fault = self._faults[way]
        passed = [fault(self._seen[way] + i, byte) if fault else bytes([byte]) for i, byte in enumerate(data)]
        self._seen[way] += len(data)
        return b"".join(passed)


def flip(at: int) -> Callable[[int, int], bytes]:
    return lambda number, byte: bytes([byte ^ 0x10]) if number == at else bytes([byte])


def lose(at: int) -> Callable[[int, int], bytes]:
    return lambda number, byte: b"" if number == at else bytes([byte])


def double(at: int) -> Callable[[int, int], bytes]:
    return lambda number, byte: bytes([byte, byte]) if number == at else bytes([byte])


def open_device(build: Build, **faults: Callable[[int, int], bytes]) -> UartDevice:
    line = FaultyLine(open_port(build.output), **faults)
    return UartDevice(line, build.metadata, 1.0, slack_s=SLACK_S)


def infer(build: Build, device: UartDevice) -> np.ndarray:
    codes = build.network.input_format.quantise(normalise(build.counts))[:, :, np.newaxis]
    with Accelerator.open(build.output / "deploy", device) as accelerator:
        return accelerator.infer_codes(codes)


def test_board_tells_who_it_is_and_gives_the_oracles_codes(build: Build) -> None:
    device = open_device(build)
    assert (device.identity.steps, device.identity.lanes) == (PRESET.gates, LANES)
    assert device.identity.window == SETTINGS.buffer_bytes // FRAME == 3
    assert device.identity.build_id == build.metadata.build_id
    assert (infer(build, device) == build.codes).all()
    assert device.retries == 0


def test_transfer_overlaps_compute(build: Build) -> None:
    """The line to the host never waits for a request: a group costs its answer's bytes, no more."""
    port = open_port(build.output)
    device = UartDevice(port, build.metadata, 1.0, slack_s=SLACK_S)
    groups, meta = 12, build.metadata
    started = port.cycles
    device.transfer(bytes(groups * meta.group_input_bytes), groups * meta.group_output_bytes)
    answer = (meta.group_output_bytes + OVERHEAD) * 10 * SETTINGS.clock_hz / SETTINGS.baud
    assert port.cycles - started < 1.1 * (groups + 1) * answer
    device.close()


# the identify frame takes OVERHEAD bytes of the line to the board, its answer 22 more of the other
@pytest.mark.parametrize("fault", [flip, lose, double])
@pytest.mark.parametrize(
    "at",
    [0, OVERHEAD + 1, OVERHEAD + 3, OVERHEAD + 5, OVERHEAD + 40, 2 * OVERHEAD + FRAME - 1, 3 * FRAME],
)
def test_damaged_request_is_sent_again(build: Build, fault: Callable[..., object], at: int) -> None:
    device = open_device(build, to_board=fault(at))
    assert (infer(build, device) == build.codes).all()
    assert device.retries >= 1 or fault is double


@pytest.mark.parametrize("fault", [flip, lose, double])
@pytest.mark.parametrize("at", [3, 40, 45, 300, 700])
def test_damaged_answer_is_asked_for_again(build: Build, fault: Callable[..., object], at: int) -> None:
    device = open_device(build, to_host=fault(at))
    assert (infer(build, device) == build.codes).all()
    assert device.retries >= 1 or fault is double


def test_line_that_damages_every_answer_is_a_device_error(build: Build) -> None:
    device = open_device(build, to_host=lambda n, byte: bytes([byte ^ (n > 60 and n % 50 == 0)]))
    with pytest.raises(DeviceError, match=f"sent {TRIES} times in vain: an answer's checksum was wrong"):
        device.transfer(bytes(FRAME), build.metadata.group_output_bytes)
    with pytest.raises(ClosedError):
        device.transfer(bytes(FRAME), build.metadata.group_output_bytes)


def test_line_that_damages_every_request_is_a_device_error(build: Build) -> None:
    device = open_device(build, to_board=lambda n, byte: bytes([byte ^ (n > 20 and n % 50 == 0)]))
    with pytest.raises(DeviceError, match="the board refused a frame: the checksum was wrong"):
        device.transfer(bytes(FRAME), build.metadata.group_output_bytes)


def test_board_that_falls_silent_is_a_timeout(build: Build) -> None:
    device = open_device(build, to_host=lambda n, byte: bytes([byte]) if n < 300 else b"")
    with pytest.raises(DeviceTimeoutError, match=f"has not, {TRIES} times"):
        device.transfer(bytes(2 * FRAME), 2 * build.metadata.group_output_bytes)


def test_absent_board_is_a_timeout(build: Build) -> None:
    with pytest.raises(DeviceTimeoutError, match="is it powered"):
        open_device(build, to_host=lambda n, byte: b"")


class Chatter:
    """A port at whose other end something else speaks."""

    closed = False

    def write(self, data: bytes) -> None:
        pass

    def read(self, timeout_s: float) -> bytes:
        return b"$GPGGA,123519,4807.038,N\r\n" * 100

    def close(self) -> None:
        self.closed = True


def test_another_device_on_the_port_is_named_and_the_port_closed(build: Build) -> None:
    port = Chatter()
    with pytest.raises(DeviceError, match="never falls silent"):
        UartDevice(port, build.metadata, 1.0)
    assert port.closed


def test_board_with_another_model_is_refused(build: Build, tmp_path: Path) -> None:
    head = replace(build.network.head, bias=build.network.head.bias + 1)
    other = make_build(tmp_path, replace(build.network, head=head))
    device = UartDevice(open_port(other.output), build.metadata, 1.0, slack_s=SLACK_S)
    with pytest.raises(WrongBuildError, match=other.metadata.build_id):
        Accelerator.open(build.output / "deploy", device)


def test_board_at_another_clock_is_refused(build: Build) -> None:
    with pytest.raises(WrongBuildError, match="runs at 50000000 Hz"):
        UartDevice(open_port(build.output), replace(build.metadata, clock_mhz=25.0), 1.0, slack_s=SLACK_S)


def test_frames_left_over_from_another_program_are_passed_over(build: Build) -> None:
    """A program that died left half a request on the line, and an answer to another on its way."""
    port = open_port(build.output)
    left = Frame(FrameType.INFER, 0, bytes(FRAME)).encode()
    port.write(left + left[: len(left) // 2])
    device = UartDevice(port, build.metadata, 1.0, slack_s=SLACK_S)
    assert (infer(build, device) == build.codes).all()


@pytest.mark.parametrize(
    "decays",
    [np.full((2, 24), np.nan), np.zeros((2, 23)), np.full((2, 24), -1)],
    ids=["NaN", "gates", "sign"],
)
def test_decays_that_cannot_be_are_refused_before_a_byte_is_sent(build: Build, decays: np.ndarray) -> None:
    port = open_port(build.output)
    device = UartDevice(port, build.metadata, 1.0, slack_s=SLACK_S)
    started = port.cycles
    with Accelerator.open(build.output / "deploy", device) as accelerator:
        with pytest.raises(ValueError):
            accelerator.infer(decays)
        assert port.cycles == started


def test_stream_gives_each_batch_in_order(build: Build) -> None:
    def batches() -> Iterator[np.ndarray]:
        yield build.counts[:5]
        yield build.counts[5:6]
        yield build.counts[6:]

    expected = build.network.output_format.dequantise(build.codes).astype(np.float32)
    with Accelerator.open(build.output / "deploy", open_device(build)) as accelerator:
        parts = list(accelerator.stream(batches()))
    assert [len(part) for part in parts] == [5, 1, PIXELS - 6]
    assert np.array_equal(np.concatenate(parts), expected)


def test_validate_runs_on_the_simulated_board(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--device", "uart:sim", "--build", str(build.output)]
    assert validate(build.output / "deploy", arguments) == 0
    assert "EQUAL" in capsys.readouterr().out


def test_validate_without_a_board_says_what_is_missing(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--device", "uart:sim", "--build", str(tmp_path)]
    assert validate(build.output / "deploy", arguments) == 2
    assert "must hold a board's files" in capsys.readouterr().err


def test_package_for_another_board_has_no_link(build: Build) -> None:
    with pytest.raises(DeploymentError, match="has no serial link"):
        UartDevice(Chatter(), replace(build.metadata, link=None), 1.0)


def test_board_module_is_found_again(build: Build, tmp_path: Path) -> None:
    top, settings = load_board(build.output / "board")
    assert settings == SETTINGS
    assert ulx3s_bench(top, tmp_path, "bench", settings).inputs[0].bits == 8
