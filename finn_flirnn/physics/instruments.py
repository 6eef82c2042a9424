# SPDX-License-Identifier: BSD-3-Clause
"""Lifetime images from instrument files: PicoQuant PTU and Becker & Hickl SDT."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ptufile
import sdtfile

from finn_flirnn.physics.gates import GateGrid

NANOSECONDS = 1e9
RECORD_BYTES = 4  # of every T3 record format
FEWEST_COUNTS_TO_JUDGE = 20
# UnboundLocalError: what ptufile's own error path raises where a header is cut short
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    struct.error,
    NotImplementedError,
    UnboundLocalError,
)


@dataclass(frozen=True)
class FlimImage:
    """A lifetime image as the instrument recorded it.

    counts: (rows, columns, gates) photons. gate_step_ns: width of a bin. laser_period_ns: the laser's, in
    general not ``gates * gate_step_ns``. used_gates: (gates,) false for bins in which the electronics
    cannot record (they hold no counts). source: the file. channel: detector channel.
    """

    counts: npt.NDArray[np.unsignedinteger[Any]]
    gate_step_ns: float
    laser_period_ns: float
    used_gates: npt.NDArray[np.bool_]
    source: Path
    channel: int

    @property
    def grid(self) -> GateGrid:
        """The time axis: contiguous bins."""
        return GateGrid(self.counts.shape[2], self.gate_step_ns, self.gate_step_ns, self.laser_period_ns)


def read_image(
    path: str | Path, channel: int | None = None, laser_period_ns: float | None = None
) -> FlimImage:
    """Read a .ptu or .sdt file.

    channel: which detector; needed only if more than one holds photons. laser_period_ns: overrides the
    file's own.

    Raises ValueError for a suffix that is not known, a file that cannot be read, has no image, or has
    several channels to choose from.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path, int | None, float | None], FlimImage]] = {
        ".ptu": read_ptu,
        ".sdt": read_sdt,
    }
    if path.suffix.lower() not in readers:
        raise ValueError(
            f"{path.name}: the suffix must be one of {', '.join(readers)}, got {path.suffix!r}; export the "
            "measurement in one of these formats"
        )
    return readers[path.suffix.lower()](path, channel, laser_period_ns)


def read_ptu(path: str | Path, channel: int | None = None, laser_period_ns: float | None = None) -> FlimImage:
    """Read a PicoQuant T3 image, all frames summed; see ``read_image``."""
    path = Path(path)
    try:
        with ptufile.PtuFile(path) as ptu:
            if not (ptu.is_image and ptu.is_t3):
                raise ValueError("it holds no T3 image; record in T3 image mode")
            present = (path.stat().st_size - ptu.record_offset) // RECORD_BYTES
            if present < ptu.number_records:
                raise ValueError(
                    f"it is cut off after {present} of {ptu.number_records} records; copy it again"
                )
            recorded = ptu.decode_image(frame=-1, keepdims=False, dtype=np.uint32, asxarray=False)
            step_ns = ptu.tcspc_resolution * NANOSECONDS
            rate_hz = ptu.frequency
    except (*_UNREADABLE, ptufile.PqFileError) as error:
        raise ValueError(f"{path.name} must be a readable PicoQuant PTU image: {_reason(error)}") from error
    period_ns = _laser_period(path, rate_hz, laser_period_ns)
    channels = {c: recorded[:, :, c] for c in range(recorded.shape[2])}
    return _image(path, channels, channel, step_ns, period_ns)


def read_sdt(path: str | Path, channel: int | None = None, laser_period_ns: float | None = None) -> FlimImage:
    """Read a Becker & Hickl image; each data block of the file is a channel. See ``read_image``."""
    path = Path(path)
    try:
        with path.open("rb") as file, sdtfile.SdtFile(file) as sdt:
            blocks = {c: np.asarray(data) for c, data in enumerate(sdt.data) if np.ndim(data) == 3}
            if not blocks:
                shapes = ", ".join(str(np.shape(data)) for data in sdt.data)
                raise ValueError(f"it holds no image (rows, columns, bins), only blocks of shape {shapes}")
            times = sdt.times[next(iter(blocks))]
            step_ns = float(times[1] - times[0]) * NANOSECONDS
            rate_hz = float(sdt.measure_info[0]["StopInfo"]["min_sync_rate"])
    except _UNREADABLE as error:
        raise ValueError(
            f"{path.name} must be a readable Becker & Hickl SDT image: {_reason(error)}"
        ) from error
    period_ns = _laser_period(path, rate_hz, laser_period_ns)
    return _image(path, blocks, channel, step_ns, period_ns)


def dead_gates(total: npt.NDArray[Any], grid: GateGrid) -> npt.NDArray[np.bool_]:
    """Bins at both ends of the window in which the electronics recorded nothing: (gates,) true if dead.

    total: (gates,) counts summed over the image. The end of the window is dead from where the counts drop
    to less than 0.4 within two bins and then stay below a quarter of all that is seen in the middle of
    the window, and with it a last bin that the edge has cut. The laser period closes into a ring, so the
    start is dead while it lies below a quarter of the live end, if the window covers the period. Only
    the outer quarters are looked at, and counts too few to judge are left alone.
    """
    counts = np.asarray(total, dtype=np.float64)
    dead = np.zeros(counts.size, np.bool_)
    most = counts.size // 4
    end = counts.size
    middle = counts[most : counts.size - most]
    floor = 0.25 * float(middle.min(initial=np.inf))
    for k in range(max(3, counts.size - most), counts.size):
        before = float(np.median(counts[k - 3 : k]))
        stays = counts[k + 1 :].max(initial=0.0) < floor
        if before >= FEWEST_COUNTS_TO_JUDGE and counts[k] < 0.4 * before and stays:
            level = float(np.median(counts[k - 4 : k - 1]))
            end = k - 1 if counts[k - 1] < level - 5 * math.sqrt(level) else k
            break
    dead[end:] = True
    end_level = float(np.median(counts[max(0, end - 5) : end]))
    if grid.window_ns >= 0.9 * grid.laser_period_ns and end_level >= FEWEST_COUNTS_TO_JUDGE:
        alive = np.flatnonzero(counts[:most] >= 0.25 * end_level)
        dead[: alive[0] if alive.size else 0] = True
    return dead


def _image(
    path: Path,
    channels: dict[int, npt.NDArray[np.unsignedinteger[Any]]],
    channel: int | None,
    step_ns: float,
    period_ns: float,
) -> FlimImage:
    holding = [c for c, counts in channels.items() if counts.any()]
    if channel is None:
        if len(holding) != 1:
            raise ValueError(
                f"{path.name} must have one channel with photons to be read without choosing one, got "
                f"channels {holding}; name the channel"
            )
        channel = holding[0]
    elif channel not in holding:
        raise ValueError(f"{path.name}: channel must be one of {holding}, which hold photons, got {channel}")
    if not (math.isfinite(step_ns) and step_ns > 0):
        raise ValueError(
            f"{path.name}: the bin width must be positive, got {step_ns} ns; the header is damaged"
        )
    # Bins past the laser period are the electronics' spare; no photon belongs there.
    bins = min(channels[channel].shape[2], math.ceil(period_ns / step_ns))
    counts = channels[channel][:, :, :bins]
    grid = GateGrid(bins, step_ns, step_ns, period_ns)
    used = ~dead_gates(counts.sum(axis=(0, 1), dtype=np.int64), grid)
    return FlimImage(counts, step_ns, period_ns, used, path, channel)


def _laser_period(path: Path, rate_hz: float, given_ns: float | None) -> float:
    period = NANOSECONDS / rate_hz if given_ns is None and rate_hz > 0 else given_ns
    if period is None or not (math.isfinite(period) and period > 0):
        raise ValueError(
            f"{path.name} must state the laser's rate, got {rate_hz} Hz; give laser_period_ns yourself"
        )
    return period


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
