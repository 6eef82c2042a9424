# SPDX-License-Identifier: BSD-3-Clause
"""Instrument files: PTU and SDT readers, dead bins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import ptufile
import pytest
import sdtfile

from finn_flirnn.physics import instruments
from finn_flirnn.physics.decays import expected_shape
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.instruments import dead_gates, read_image, read_ptu, read_sdt
from finn_flirnn.physics.irf import EmgIrf

PERIOD_S, STEP_S = 12.5e-9, 97e-12
BINS = 128  # 12.42 ns: one bin of the period is missing


def photons(rows: int, columns: int, channels: int, frames: int = 1) -> np.ndarray:
    rng = np.random.default_rng(rows * columns)
    return rng.poisson(0.5, (frames, rows, columns, channels, BINS)).astype(np.uint16)


def write_ptu(path: Path, counts: np.ndarray) -> Path:
    ptufile.imwrite(path, counts, PERIOD_S, STEP_S)
    return path


class FakeSdt:
    """What sdtfile gives for a file, since nothing writes such files."""

    def __init__(self, blocks: list[np.ndarray], rate_hz: float = 8e7) -> None:
        self.data = blocks
        self.times = [np.arange(block.shape[-1]) * STEP_S for block in blocks]
        self.measure_info = [{"StopInfo": {"min_sync_rate": rate_hz}}]

    def __enter__(self) -> FakeSdt:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def sdt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    path = tmp_path / "image.sdt"
    path.touch()

    def use(blocks: list[np.ndarray], rate_hz: float = 8e7) -> Path:
        fake = SimpleNamespace(SdtFile=lambda file: FakeSdt(blocks, rate_hz))
        monkeypatch.setattr(instruments, "sdtfile", fake)
        return path

    return use


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (3, 5), (8, 8)])
def test_ptu_gives_its_photons_with_all_frames_summed(tmp_path: Path, rows: int, columns: int) -> None:
    counts = photons(rows, columns, 1, frames=3)
    image = read_image(write_ptu(tmp_path / "image.PTU", counts))
    assert np.array_equal(image.counts, counts.sum(axis=0)[:, :, 0])
    assert image.gate_step_ns == pytest.approx(0.097) and image.laser_period_ns == pytest.approx(12.5)
    assert image.grid == GateGrid(BINS, image.gate_step_ns, image.gate_step_ns, image.laser_period_ns)
    assert image.channel == 0 and image.source.name == "image.PTU"


def test_one_of_several_ptu_channels_must_be_chosen(tmp_path: Path) -> None:
    counts = photons(4, 4, 2)
    path = write_ptu(tmp_path / "two.ptu", counts)
    with pytest.raises(ValueError, match=r"channels \[0, 1\]; name the channel"):
        read_image(path)
    with pytest.raises(ValueError, match=r"channel must be one of \[0, 1\].*got 2"):
        read_image(path, channel=2)
    assert np.array_equal(read_image(path, channel=1).counts, counts[0, :, :, 1])


def test_laser_period_can_be_given_by_the_user(tmp_path: Path) -> None:
    image = read_ptu(write_ptu(tmp_path / "a.ptu", photons(2, 2, 1)), laser_period_ns=10.0)
    assert image.laser_period_ns == 10.0
    assert image.counts.shape[2] == 104  # bins past the period hold no photon of it


@pytest.mark.parametrize("kind", [".ptu", ".sdt"])
@pytest.mark.parametrize("content", [b"", b"no measurement", bytes(5000), b"PQTTTR\0\0" + bytes(5000)])
def test_foreign_files_are_refused_by_name(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / f"foreign{kind}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"foreign{kind} must be a readable"):
        read_image(path)


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.99])
def test_cut_off_ptu_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_ptu(tmp_path / "cut.ptu", photons(8, 8, 1))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ValueError, match="cut.ptu must be a readable.*cut off"):
        read_image(path)


def test_missing_file_and_unknown_suffix_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absent.ptu must be a readable.*No such file"):
        read_image(tmp_path / "absent.ptu")
    with pytest.raises(ValueError, match=r"\.ptu, \.sdt, got '\.tif'"):
        read_image(tmp_path / "image.tif")


def test_sdt_blocks_are_channels(sdt: Any) -> None:
    first, second = (photons(3, 4, 2)[0, :, :, c] for c in range(2))
    path = sdt([first, np.zeros_like(second)])
    image = read_sdt(path)
    assert np.array_equal(image.counts, first) and image.channel == 0
    assert image.laser_period_ns == pytest.approx(12.5)
    path = sdt([first, second])
    with pytest.raises(ValueError, match=r"channels \[0, 1\]"):
        read_sdt(path)
    assert np.array_equal(read_sdt(path, channel=1).counts, second)


def test_sdt_without_image_rate_or_photons_is_refused(sdt: Any) -> None:
    path = sdt([np.ones((1, BINS), np.uint16)])
    with pytest.raises(ValueError, match=r"no image \(rows, columns, bins\)"):
        read_sdt(path)
    path = sdt([np.ones((2, 2, BINS), np.uint16)], rate_hz=0.0)
    with pytest.raises(ValueError, match="give laser_period_ns"):
        read_sdt(path)
    assert read_sdt(path, laser_period_ns=12.5).laser_period_ns == 12.5
    path = sdt([np.zeros((2, 2, BINS), np.uint16)])
    with pytest.raises(ValueError, match=r"channels \[\]"):
        read_sdt(path)


def decay(position_ns: float, background: float = 0.0) -> tuple[np.ndarray, GateGrid]:
    grid = GateGrid(129, 0.097, 0.097, 12.5)
    irf = EmgIrf(position_ns, 0.25)
    shape = expected_shape(grid, irf, np.array([0.3]), np.array([2.0]), np.array([0.8]))[0]
    return np.random.default_rng(0).poisson(1e6 * shape / shape.sum() + background), grid


@pytest.mark.parametrize("position", [0.1, 1.0, 4.0, 9.0, 11.0, 12.0])
@pytest.mark.parametrize("background", [0.0, 500.0])
def test_whole_decays_have_no_dead_bins(position: float, background: float) -> None:
    assert not dead_gates(*decay(position, background)).any()


@pytest.mark.parametrize(("first", "last"), [(0, 0), (12, 10), (0, 3), (12, 0), (1, 1)])
def test_bins_that_record_nothing_are_found_at_both_ends(first: int, last: int) -> None:
    counts, grid = decay(2.0, background=500.0)
    counts[:first] = 0
    counts[counts.size - last :] = 0
    assert np.flatnonzero(dead_gates(counts, grid)).tolist() == [*range(first), *range(129 - last, 129)]


def test_a_bin_that_the_edge_has_cut_is_dead_too() -> None:
    counts, grid = decay(2.0, background=500.0)
    counts[126:] = 0
    counts[125] //= 2
    assert np.flatnonzero(dead_gates(counts, grid)).tolist() == [125, 126, 127, 128]


def test_dark_start_of_a_slow_laser_s_window_is_not_dead() -> None:
    grid = GateGrid(129, 0.097, 0.097, 50.0)
    irf = EmgIrf(2.0, 0.25)
    shape = expected_shape(grid, irf, np.array([0.3]), np.array([2.0]), np.array([0.8]))[0]
    assert not dead_gates(np.round(1e5 * shape / shape.max()), grid).any()


def test_too_few_counts_are_not_judged() -> None:
    grid = GateGrid(129, 0.097, 0.097, 12.5)
    counts = np.zeros(129)
    counts[20:40] = 10
    assert not dead_gates(counts, grid).any()


def test_readers_use_the_libraries_that_they_are_pinned_to() -> None:
    assert instruments.sdtfile is sdtfile and instruments.ptufile is ptufile
