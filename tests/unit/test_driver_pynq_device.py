# SPDX-License-Identifier: BSD-3-Clause
"""The PYNQ device against a model of the shell's registers and of DMA memory (tests/fakes/pynq)."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from finn_flirnn.driver import (
    AcceleratorMetadata,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    Stream,
)
from finn_flirnn.driver.device import open_device
from finn_flirnn.driver.metadata import SCHEMA
from finn_flirnn.driver.pynq_device import CONTROL, SHELL_CLOCK_MHZ, PynqDevice
from finn_flirnn.numerics import Format

META = AcceleratorMetadata(
    schema=SCHEMA,
    name="test",
    project_version="0",
    build_id="0",
    model_sha256="0",
    board="ZCU104",
    clock_mhz=200.0,
    pixels_per_s=1.0,
    steps=5,
    lanes=2,
    inputs=1,
    outputs=3,
    output_names=("full", "short", "long"),
    input_stream=Stream(1, Format(8, 8, signed=False)),
    output_stream=Stream(3, Format(8, 6)),
    gate_step_ns=0.09,
    dark_gates=4,
    conditions={},
    bitfile="bitfile/test.bit",
    files={},
)
GROUP_IN, GROUP_OUT = META.group_input_bytes, META.group_output_bytes


@pytest.fixture
def fake_pynq() -> Iterator[ModuleType]:
    """The model of pynq, fresh for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        yield importlib.import_module("pynq")
    for name in ("pynq", "pynq.ps"):
        sys.modules.pop(name, None)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package whose "hardware" knows eight groups."""
    rng = np.random.default_rng(5)
    (tmp_path / "bitfile").mkdir()
    with (tmp_path / "bitfile" / "test.bit").open("wb") as file:
        np.savez(
            file,
            inputs=rng.integers(0, 256, (8, GROUP_IN), np.uint8),
            outputs=rng.integers(0, 256, (8, GROUP_OUT), np.uint8),
        )
    (tmp_path / "bitfile" / "test.hwh").touch()
    return tmp_path


def known_groups(package: Path, *which: int) -> tuple[bytes, bytes]:
    """Input and output bytes of some of the groups."""
    known = np.load(package / "bitfile" / "test.bit")
    return bytes(known["inputs"][list(which)]), bytes(known["outputs"][list(which)])


def test_groups_go_through_the_registers_and_come_back(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    data, expected = known_groups(package, 0, 1, 2)
    assert device.transfer(data, len(expected)) == expected
    assert fake_pynq.overlays[-1].transfers == [3]
    assert fake_pynq.ps.Clocks.fclk0_mhz == SHELL_CLOCK_MHZ


def test_smaller_and_larger_transfers_follow_each_other(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    for groups in ((0, 1), (2,), (3, 4, 5, 6), (7,)):
        data, expected = known_groups(package, *groups)
        assert device.transfer(data, len(expected)) == expected
    device.close()
    assert fake_pynq.overlays[-1].transfers == [2, 1, 4, 1]
    assert fake_pynq._dma_memory == {}  # every buffer has been freed


def test_stalled_accelerator_times_out_and_is_not_used_again(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=0.01)
    fake_pynq.overlays[-1].stalled = True
    data, expected = known_groups(package, 0)
    with pytest.raises(DeviceTimeoutError, match=r"done within 0\.01 s"):
        device.transfer(data, len(expected))
    with pytest.raises(ClosedError, match="open the accelerator again"):
        device.transfer(data, len(expected))
    device.close()


def test_busy_output_dma_is_refused(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    fake_pynq.overlays[-1].odma0.write(CONTROL, 1)
    with pytest.raises(DeviceError, match="must be idle"):
        device.transfer(*_sizes(package))


def _sizes(package: Path) -> tuple[bytes, int]:
    data, expected = known_groups(package, 0)
    return data, len(expected)


def test_closed_device_says_so(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    device.close()
    device.close()
    with pytest.raises(ClosedError):
        device.transfer(*_sizes(package))


def test_bitfile_without_the_dmas_is_refused(
    fake_pynq: ModuleType, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Foreign:
        def __init__(self, bitfile: str) -> None:
            self.idma0 = None

    monkeypatch.setattr(fake_pynq, "Overlay", Foreign)
    with pytest.raises(DeploymentError, match="has no odma0"):
        PynqDevice(package, META, timeout_s=1)


def test_package_without_bitfile_says_what_to_do(package: Path) -> None:
    with pytest.raises(DeploymentError, match="built without a bitfile; build it with Vivado"):
        PynqDevice(package, replace(META, bitfile=None), timeout_s=1)


def test_machine_without_pynq_is_told_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(DeviceError, match="run this on the board"):
        open_device("pynq", package, META, timeout_s=1)
