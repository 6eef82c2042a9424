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
    Accelerator,
    AcceleratorMetadata,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    HardwareStatus,
    Stream,
    WrongBuildError,
)
from finn_flirnn.driver.device import open_device
from finn_flirnn.driver.metadata import SCHEMA
from finn_flirnn.driver.pynq_device import CONTROL, SHELL_CLOCK_MHZ, PynqDevice
from finn_flirnn.numerics import Format

META = AcceleratorMetadata(
    schema=SCHEMA,
    name="test",
    project_version="0",
    build_id="fedcba9876543210",
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
            build=META.build_id,
            loadable=True,
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
            self.ip_dict = {"idma0": {}}

    monkeypatch.setattr(fake_pynq, "Overlay", Foreign)
    with pytest.raises(DeploymentError, match="has no odma0 and StreamingDataflowPartition_1"):
        PynqDevice(package, META, timeout_s=1)


def test_the_hardware_says_which_build_it_is_and_what_it_has_done(
    fake_pynq: ModuleType, package: Path
) -> None:
    with Accelerator(META, PynqDevice(package, META, timeout_s=1)) as accelerator:
        device = fake_pynq.overlays[-1]
        data, expected = known_groups(package, 0, 1, 2)
        assert accelerator._open_device().transfer(data, len(expected)) == expected
        status = accelerator.status()
    assert status == HardwareStatus(META.build_id, 3, 3, (5 << 32) + 3000, True, 0, 0, 0xB111)
    assert device.StreamingDataflowPartition_1.values[0x14] == 0
    with pytest.raises(ClosedError):
        accelerator.status()


def test_hardware_of_another_build_is_refused_with_both_identifiers(
    fake_pynq: ModuleType, package: Path
) -> None:
    other = replace(META, build_id="0123456789abcdef")
    device = PynqDevice(package, other, timeout_s=1)
    with pytest.raises(WrongBuildError, match=r"must be build 0123456789abcdef .* is fedcba9876543210"):
        Accelerator(other, device)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0x00, 0xDEAD, "its magic is 0x0000dead and not 0x4e524c46"),
        (0x00, 0, "its magic is 0x00000000"),
        (0x04, 2, "its map version is 0x00000002 and not 0x00000001"),
    ],
)
def test_registers_that_are_not_ours_are_refused(
    fake_pynq: ModuleType,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    offset: int,
    value: int,
    reason: str,
) -> None:
    class Foreign(fake_pynq.RegisterFile):  # type: ignore[misc, name-defined]
        def read(self, at: int = 0) -> int:
            return value if at == offset else int(super().read(at))

    monkeypatch.setattr(fake_pynq, "RegisterFile", Foreign)
    with pytest.raises(WrongBuildError, match=f"must be build {META.build_id}, but {reason}"):
        PynqDevice(package, META, timeout_s=1)


def image(state: int, identity: int = 0xCAFE) -> list[int]:
    """An image that the model's loader answers with a state."""
    return [int.from_bytes(b"IMAG", "little"), state, identity, 0xFFFFFFFF]


def test_weights_are_loaded_and_waited_for(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    assert device.load(image(2)) == 1 << 8 | 2
    assert (device.status().weights_id, device.status().sets_taken) == (0xCAFE, 1)
    assert device.load(np.array(image(2, 0xBEEF), dtype=np.uint32)) == 2 << 8 | 2
    assert device.status().weights_id == 0xBEEF


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (image(0x81), "its CRC is wrong"),
        (image(0x82), "made for another design"),
        (image(0x83), "its header or its length is wrong"),
        (image(0), "state is 0x0 after 0 new sets"),
    ],
)
def test_an_image_that_is_not_taken_leaves_the_old_weights_and_says_why(
    fake_pynq: ModuleType, package: Path, words: list[int], reason: str
) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    device.load(image(2))
    with pytest.raises(DeviceError, match=reason):
        device.load(words)
    assert device.status().weights_id == 0xCAFE
    device.load(image(2, 7))
    assert device.status().weights_id == 7


def test_a_truncated_image_times_out_and_the_next_one_begins_anew(
    fake_pynq: ModuleType, package: Path
) -> None:
    device = PynqDevice(package, META, timeout_s=0.01)
    with pytest.raises(DeviceTimeoutError, match=r"the image must be in use within 0\.01 s"):
        device.load(image(2)[:3])
    assert device.load(image(2)) & 0xFF == 2
    assert fake_pynq.overlays[-1].StreamingDataflowPartition_1.restarts == 2


def test_words_that_the_loader_dropped_are_told(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    fake_pynq.overlays[-1].StreamingDataflowPartition_1.deaf = True
    with pytest.raises(DeviceError, match="did not take every word"):
        device.load(image(2))


def test_fixed_weights_and_words_that_are_none_are_refused(fake_pynq: ModuleType, package: Path) -> None:
    device = PynqDevice(package, META, timeout_s=1)
    for words in ([], [-1], [1 << 32]):
        with pytest.raises(ValueError, match="32-bit words"):
            device.load(words)
    fake_pynq.overlays[-1].StreamingDataflowPartition_1.values[0x10] = 0
    with pytest.raises(DeviceError, match="weights are fixed; build with runtime_weights"):
        device.load(image(2))


def test_package_without_bitfile_says_what_to_do(package: Path) -> None:
    with pytest.raises(DeploymentError, match="built without a bitfile; build it with Vivado"):
        PynqDevice(package, replace(META, bitfile=None), timeout_s=1)


def test_machine_without_pynq_is_told_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(DeviceError, match="run this on the board"):
        open_device("pynq", package, META, timeout_s=1)
