# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator's interface over the integer oracle in place of hardware."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from finn_flirnn.driver import (
    Accelerator,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    SimulatedDevice,
    Stream,
    WrongBuildError,
)
from finn_flirnn.driver import accelerator as accelerator_module
from finn_flirnn.driver.metadata import FILE_NAME
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS, lifetimes_from_sfd
from finn_flirnn.physics.preprocess import normalise

STEPS, DARK_GATES = 12, 4


@pytest.fixture(scope="module")
def fakes() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        return importlib.import_module("oracle_engine")


@pytest.fixture(scope="module")
def network(fakes: ModuleType) -> Any:
    return fakes.small_network(STEPS)


def counts_of(pixels: int) -> np.ndarray:
    """Counts up to 100 (they fit every type), the brightest after the dark gates."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 5, (pixels, STEPS))
    counts[:, DARK_GATES:] += rng.integers(0, 96, (pixels, STEPS - DARK_GATES))
    return counts


@pytest.mark.parametrize("lanes", [1, 3, 4])
@pytest.mark.parametrize("pixels", [1, 3, 4, 5, 8])
def test_codes_are_the_oracles_for_full_and_partial_groups(
    fakes: ModuleType, network: Any, lanes: int, pixels: int
) -> None:
    meta = fakes.metadata_of(network, lanes)
    codes = np.random.default_rng(1).integers(0, 256, (pixels, STEPS, 1))
    with Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta))) as accelerator:
        assert np.array_equal(accelerator.infer_codes(codes), network.run(codes))


@pytest.mark.parametrize("bits", [4, 5, 8, 12])
@pytest.mark.parametrize("elements", [1, 3])
def test_any_width_and_transfer_size_gives_the_oracles_codes(
    fakes: ModuleType, bits: int, elements: int
) -> None:
    network = fakes.small_network(STEPS, inputs=3, bits=bits)
    meta = fakes.metadata_of(
        network,
        2,
        input_stream=Stream(elements, network.input_format),
        output_stream=Stream(elements, network.output_format),
    )
    codes = np.random.default_rng(1).integers(0, 1 << bits, (3, STEPS, 3))
    with Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta))) as accelerator:
        assert np.array_equal(accelerator.infer_codes(codes), network.run(codes))


def test_long_input_goes_in_several_transfers_of_whole_groups(
    fakes: ModuleType, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = fakes.metadata_of(network, 2)
    monkeypatch.setattr(accelerator_module, "TRANSFER_BYTES", 2 * meta.group_output_bytes + 1)
    engine = fakes.OracleEngine(network, meta)
    codes = np.random.default_rng(1).integers(0, 256, (9, STEPS, 1))
    with Accelerator(meta, SimulatedDevice(engine)) as accelerator:
        assert np.array_equal(accelerator.infer_codes(codes), network.run(codes))
    assert engine.groups == [2, 2, 1]


@pytest.fixture
def accelerator(fakes: ModuleType, network: Any) -> Accelerator:
    meta = fakes.metadata_of(network, 2)
    return Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta)))


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "i4", "u8", "f2", "f4", "f8"])
def test_every_number_type_of_counts_gives_the_same_components(
    accelerator: Accelerator, network: Any, dtype: str
) -> None:
    counts = counts_of(3)
    codes = network.run(network.input_format.quantise(normalise(counts, DARK_GATES))[:, :, np.newaxis])
    result = accelerator.infer(counts.astype(dtype))
    assert result.dtype == np.float32
    assert result.shape == (3, STEPS, 3)
    assert np.array_equal(result, network.output_format.dequantise(codes).astype(np.float32))


def test_normalised_decays_are_taken_as_they_are(accelerator: Accelerator) -> None:
    counts = counts_of(3)
    assert np.array_equal(
        accelerator.infer(normalise(counts, DARK_GATES), normalised=True), accelerator.infer(counts)
    )


def test_non_contiguous_counts_give_the_same_components(accelerator: Accelerator) -> None:
    counts = counts_of(4)
    assert np.array_equal(
        accelerator.infer(np.asfortranarray(counts)[::2]), accelerator.infer(counts[::2].copy())
    )


def test_no_pixels_give_no_components(accelerator: Accelerator) -> None:
    assert accelerator.infer(np.zeros((0, STEPS))).shape == (0, STEPS, 3)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize(
    ("decays", "message"),
    [
        (np.ones((2, STEPS + 1)), f"have {STEPS + 1} gates, the accelerator is built for {STEPS}"),
        (np.ones(STEPS), "reshape an image"),
        (np.ones((2, 2, STEPS)), "reshape an image"),
        (np.full((1, STEPS), np.nan), "NaN or infinity; mask"),
        (np.full((1, STEPS), np.inf), "NaN or infinity; mask"),
        (np.full((1, STEPS), -1), "must not be negative, got -1"),
        (np.ones((1, STEPS), dtype=complex), "got complex128"),
        (np.ones((1, STEPS), dtype=bool), "got bool"),
        (np.full((1, STEPS), "3"), "convert them"),
    ],
)
def test_decays_that_are_none_are_refused(
    accelerator: Accelerator, decays: np.ndarray, message: str, normalised: bool
) -> None:
    with pytest.raises(ValueError, match=message):
        accelerator.infer(decays, normalised=normalised)


def test_lifetimes_are_read_off_the_components(accelerator: Accelerator) -> None:
    counts = counts_of(5)
    found = accelerator.lifetimes(counts)
    expected = lifetimes_from_sfd(accelerator.infer(counts), accelerator.metadata.gate_step_ns)
    assert found.tau_m_ns.shape == (5,)
    assert np.array_equal(found.tau_m_ns, expected.tau_m_ns)
    assert np.array_equal(found.amplitude_fraction, expected.amplitude_fraction)


def test_lifetimes_of_a_model_that_gives_them_need_no_decays(fakes: ModuleType, network: Any) -> None:
    direct = replace(network, decoders=(), head=fakes.small_network(STEPS, outputs=2).head)
    meta = fakes.metadata_of(direct, 3, output_names=DIRECT_OUTPUTS, output_steps=1)
    engine = fakes.OracleEngine(direct, meta)
    counts = counts_of(7)
    with Accelerator(meta, SimulatedDevice(engine)) as accelerator:
        found, values = accelerator.lifetimes(counts), accelerator.infer(counts)
    assert values.shape == (7, 1, 2)
    expected = direct.output_format.dequantise(
        direct.run(direct.input_format.quantise(normalise(counts, DARK_GATES))[:, :, None])
    )
    assert np.array_equal(values[:, 0], expected)
    assert vars(found).keys() == {"tau_m_ns", "amplitude_fraction"}
    assert np.array_equal(found.amplitude_fraction, np.clip(expected[:, 1], 0, 1))
    # an answer is two codes a pixel, not two a gate
    assert meta.group_output_bytes == meta.output_stream.bytes_of(3 * 2)


def test_lifetimes_of_other_outputs_are_refused(fakes: ModuleType) -> None:
    network = fakes.small_network(STEPS, outputs=1)
    meta = fakes.metadata_of(network, 1)
    accelerator = Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta)))
    with pytest.raises(ValueError, match=r"the model has \('full',\); use infer"):
        accelerator.lifetimes(counts_of(1))


def test_counts_passed_off_as_normalised_are_refused(accelerator: Accelerator) -> None:
    with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
        accelerator.infer(counts_of(1), normalised=True)


def test_codes_outside_the_input_format_are_refused(accelerator: Accelerator) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.255"):
        accelerator.infer_codes(np.full((1, STEPS, 1), 256))


def test_codes_of_another_shape_are_refused(accelerator: Accelerator) -> None:
    with pytest.raises(ValueError, match=rf"expected \(pixels, {STEPS}, 1\)"):
        accelerator.infer_codes(np.zeros((1, STEPS), dtype=np.int64))


def test_decays_into_a_model_of_several_features_are_refused(fakes: ModuleType) -> None:
    network = fakes.small_network(STEPS, inputs=2)
    meta = fakes.metadata_of(network, 1)
    accelerator = Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta)))
    with pytest.raises(ValueError, match=r"inputs=2; use infer_codes"):
        accelerator.infer(counts_of(1))


def test_closed_accelerator_says_so(accelerator: Accelerator) -> None:
    accelerator.close()
    accelerator.close()
    with pytest.raises(ClosedError, match="open it again"):
        accelerator.infer(counts_of(1))


def test_hardware_of_another_build_is_refused(fakes: ModuleType, network: Any) -> None:
    meta = fakes.metadata_of(network, 1)
    engine = fakes.OracleEngine(network, meta, build_id="f" * 16)
    with pytest.raises(WrongBuildError, match=rf"must be build {meta.build_id}.* says that it is {'f' * 16}"):
        Accelerator(meta, SimulatedDevice(engine))


def test_hardware_of_the_same_build_is_taken(fakes: ModuleType, network: Any) -> None:
    meta = fakes.metadata_of(network, 1)
    Accelerator(meta, SimulatedDevice(fakes.OracleEngine(network, meta, build_id=meta.build_id)))


def test_lost_byte_is_noticed_and_the_device_not_used_again(fakes: ModuleType, network: Any) -> None:
    meta = fakes.metadata_of(network, 2)

    class Lossy(fakes.OracleEngine):  # type: ignore[misc, name-defined]
        def transfer(self, data: bytes, output_bytes: int) -> bytes:
            return bytes(super().transfer(data, output_bytes)[:-1])

    accelerator = Accelerator(meta, SimulatedDevice(Lossy(network, meta)))
    with pytest.raises(DeviceError, match=rf"{meta.group_output_bytes} bytes must come back"):
        accelerator.infer(counts_of(1))
    with pytest.raises(ClosedError):
        accelerator.infer(counts_of(1))


@pytest.mark.parametrize(
    ("raised", "seen"), [(TimeoutError, DeviceTimeoutError), (RuntimeError, DeviceError)]
)
def test_failure_of_the_simulation_is_one_of_the_device(
    fakes: ModuleType, network: Any, raised: type[Exception], seen: type[Exception]
) -> None:
    meta = fakes.metadata_of(network, 2)

    class Failing(fakes.OracleEngine):  # type: ignore[misc, name-defined]
        def transfer(self, data: bytes, output_bytes: int) -> bytes:
            raise raised("cycle 7")

    accelerator = Accelerator(meta, SimulatedDevice(Failing(network, meta)))
    with pytest.raises(seen, match="cycle 7"):
        accelerator.infer(counts_of(1))
    with pytest.raises(ClosedError):
        accelerator.infer(counts_of(1))


def test_package_opens_with_a_device_and_closes_it(fakes: ModuleType, network: Any, tmp_path: Path) -> None:
    meta = fakes.metadata_of(network, 2)
    (tmp_path / FILE_NAME).write_text(meta.to_json())
    device = SimulatedDevice(fakes.OracleEngine(network, meta))
    with Accelerator.open(str(tmp_path), device) as accelerator:
        assert accelerator.metadata == meta
    with pytest.raises(ClosedError):
        device.transfer(b"", 0)


def test_package_with_a_missing_file_is_not_opened(fakes: ModuleType, network: Any, tmp_path: Path) -> None:
    meta = replace(fakes.metadata_of(network, 2), files={"validate.py": "00"})
    (tmp_path / FILE_NAME).write_text(meta.to_json())
    with pytest.raises(DeploymentError, match=r"validate\.py is missing"):
        Accelerator.open(tmp_path, SimulatedDevice(fakes.OracleEngine(network, meta)))


def test_unknown_device_is_refused_with_the_choice(fakes: ModuleType, network: Any, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(fakes.metadata_of(network, 2).to_json())
    with pytest.raises(ValueError, match="device='pink' must be 'pynq', 'uart:PORT' or an object"):
        Accelerator.open(tmp_path, "pink")
