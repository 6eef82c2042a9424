# SPDX-License-Identifier: BSD-3-Clause
"""The driver gives a Verilated board other weights, over its UART and through its registers."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.build.rtl_files import WEIGHTS
from finn_flirnn.build.simulated_link import open_port
from finn_flirnn.codegen.weight_image import image_identifier
from finn_flirnn.driver import Accelerator, DeviceError, UartDevice
from finn_flirnn.driver.simulated_device import open_verilated_board
from finn_flirnn.numerics import Seq2SeqNetwork
from tests.fakes.small_board import PRESET, Build, make_build, small_image
from tests.integration.test_driver_uart import SLACK_S, FaultyLine, lose

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture(scope="module")
def networks() -> tuple[Seq2SeqNetwork, Seq2SeqNetwork]:
    """The built-in network, and one of its shape with other weights and tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        old = importlib.import_module("oracle_engine").small_network(PRESET.gates)
    layers = [
        replace(layer, weight_hh=layer.weight_hh[::-1].copy(), gate_table=layer.gate_table[::-1].copy())
        for layer in (old.encoder, old.decoder)
    ]
    return old, Seq2SeqNetwork(old.steps, *layers, replace(old.head, weight=-old.head.weight))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, networks: tuple[Seq2SeqNetwork, Seq2SeqNetwork]) -> Build:
    return make_build(tmp_path_factory.mktemp("build"), networks[0], runtime_weights=True)


def _codes(build: Build, network: Seq2SeqNetwork) -> np.ndarray:
    return replace(build, network=network).codes


def _infer(accelerator: Accelerator, build: Build) -> np.ndarray:
    stream = accelerator.metadata.output_stream.format
    return stream.quantise(accelerator.infer(build.counts).astype(np.float64))


@pytest.mark.parametrize("fault", [None, lose(1500)], ids=["clean", "lost byte"])
def test_board_on_a_serial_port_takes_other_weights(
    build: Build, networks: tuple[Seq2SeqNetwork, Seq2SeqNetwork], fault: object
) -> None:
    old, new = networks
    line = FaultyLine(open_port(build.output), fault)
    device = UartDevice(line, build.metadata, 10.0, slack_s=SLACK_S)
    with Accelerator.open(build.output / "deploy", device) as accelerator:
        assert (_infer(accelerator, build) == _codes(build, old)).all()
        assert accelerator.load_weights(small_image(new)) == image_identifier(small_image(new))
        assert (_infer(accelerator, build) == _codes(build, new)).all()
        if fault is None:
            _refuses_what_is_wrong(accelerator, build, new)
            accelerator.load_weights(build.output / "deploy" / WEIGHTS)
            assert (_infer(accelerator, build) == _codes(build, old)).all()
        else:
            assert device.retries > 0


def test_board_with_registers_takes_other_weights(
    build: Build, networks: tuple[Seq2SeqNetwork, Seq2SeqNetwork]
) -> None:
    _, new = networks
    with Accelerator.open(
        build.output / "deploy", open_verilated_board(build.output, build.metadata)
    ) as accelerator:
        accelerator.load_weights(small_image(new))
        assert (_infer(accelerator, build) == _codes(build, new)).all()
        _refuses_what_is_wrong(accelerator, build, new)
        status = accelerator.status()
        assert status is not None
        assert status.weights_id == image_identifier(small_image(new))


def test_fixed_weights_cannot_be_loaded(
    tmp_path: Path, networks: tuple[Seq2SeqNetwork, Seq2SeqNetwork]
) -> None:
    fixed = make_build(tmp_path, networks[0])
    assert not (tmp_path / "deploy" / WEIGHTS).exists()
    with Accelerator(fixed.metadata, _NoDevice()) as accelerator:
        with pytest.raises(DeviceError, match="weights are fixed; build with runtime_weights"):
            accelerator.load_weights(small_image(networks[1]))


def _refuses_what_is_wrong(accelerator: Accelerator, build: Build, now: Seq2SeqNetwork) -> None:
    image = small_image(now)
    damaged = image[:-4] + bytes(4)
    with pytest.raises(DeviceError, match="its CRC is wrong"):
        accelerator.load_weights(damaged)
    with pytest.raises(DeviceError, match="made for another design"):
        accelerator.load_weights(image[:8] + bytes(8) + image[16:])
    with pytest.raises(ValueError, match="no weight image"):
        accelerator.load_weights(b"anything")
    assert (_infer(accelerator, build) == _codes(build, now)).all()


class _NoDevice:
    """Hardware that is never spoken to."""

    build_id = None

    def load(self, words: object) -> int:
        raise AssertionError("the driver must refuse before the device is asked")

    def close(self) -> None:
        """Nothing to free."""
