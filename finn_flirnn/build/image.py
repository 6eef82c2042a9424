# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn image``: lifetimes of an instrument's image by a built accelerator."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.errors import MismatchError
from finn_flirnn.build.files import publish
from finn_flirnn.build.hardware_check import first_difference, network_trial, run_trial
from finn_flirnn.build.image_figure import lifetime_map
from finn_flirnn.build.manifest import FILE_NAME as MANIFEST
from finn_flirnn.build.network_file import FILE_NAME as NETWORK
from finn_flirnn.build.network_file import load_network
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.common.errors import UsageError
from finn_flirnn.common.files import read_json_file, write_json
from finn_flirnn.numerics import Codes, Reals, Seq2SeqNetwork
from finn_flirnn.physics.agreement import Agreement
from finn_flirnn.physics.fit import fit_decays
from finn_flirnn.physics.image import PreparedImage, prepare_image
from finn_flirnn.physics.instruments import read_image
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import Preset, preset_by_name
from finn_flirnn.physics.sample_data import SAMPLES, sample_path
from finn_flirnn.sim import build_model

MAPS = ("tau_m_ns", "tau_i_ns", "tau1_ns", "tau2_ns", "amplitude_fraction")
"""The maps that are written, one TIFF each, if the model gives them; NaN where there are too few photons."""


def run_image(file: str, build: Path, binning: int, rtl_pixels: int, output: Path | None) -> None:
    """Compute, write and print.

    file: a .ptu or .sdt file, or the name of a sample. build: output folder of a build. binning: pixels
    joined on each side. rtl_pixels: how many pixels also run through the simulated hardware.
    Raises UsageError for a file or a build that is not there, ValueError for an image that cannot be
    read or does not suit the model, MismatchError if hardware and integer model differ.
    """
    if rtl_pixels < 0:
        raise UsageError(f"--rtl {rtl_pixels} must not be negative; give the number of pixels to simulate")
    progress = Progress()
    progress.say(f"reading {file}")
    image = prepare(file, build, binning)
    network, preset, path, prepared = image.network, image.preset, image.path, image.prepared
    if prepared.irf_is_too_wide:
        progress.say(
            f"note: the instrument's response, {prepared.irf.irf.fwhm_ns:.2f} ns wide, is wider than any "
            "that the model was trained for; lifetimes near that width will be wrong"
        )
    codes = network.input_format.quantise(normalise(prepared.counts[prepared.mask]))[:, :, np.newaxis]
    progress.say(f"integer model: {len(codes):,} pixels of {prepared.mask.size:,}")
    found = _lifetimes(network, codes, preset)
    hardware = _simulate(build, network, codes, rtl_pixels, progress) if rtl_pixels else None
    progress.say("maximum-likelihood fit")
    fit = fit_of(prepared)
    agreement = Agreement.of(found.tau_m_ns, fit.tau_m_ns)
    summary = {
        "file": path.name,
        "binning": binning,
        "irf_fwhm_ns": float(prepared.irf.irf.fwhm_ns),
        "irf_is_too_wide": bool(prepared.irf_is_too_wide),
        "agreement_with_fit": vars(agreement),
        "rtl": hardware,
    }
    folder = (output or build / "image" / path.stem).resolve()
    _write(folder, prepared, found, fit, summary)
    progress.say(f"mean lifetimes against the fit: {agreement}")
    progress.say(f"maps, lifetime_map.png and image.json are in {folder}")


@dataclass(frozen=True)
class BuiltImage:
    """An image on the gates of a build's model. path: its file."""

    path: Path
    network: Seq2SeqNetwork
    preset: Preset
    prepared: PreparedImage


def prepare(file: str, build: Path, binning: int) -> BuiltImage:
    """Read an image for a build.

    file: a .ptu or .sdt file, or the name of a sample. Raises UsageError for a file or a build that is not
    there or has no bright pixel, ValueError for an image that cannot be read or does not suit the model.
    """
    network, info = _built(build)
    path, preset = _find_file(file), preset_by_name(info["preset"])
    prepared = prepare_image(read_image(path), preset, binning)
    if not prepared.mask.any():
        raise UsageError(f"no pixel has enough photons at --binning {binning}; join more pixels")
    return BuiltImage(path, network, preset, prepared)


def fit_of(prepared: PreparedImage) -> Lifetimes:
    """Maximum-likelihood lifetimes (pixels,) of an image's bright pixels, from the instrument's own bins."""
    return fit_decays(
        prepared.measured[prepared.mask], prepared.grid, prepared.irf.irf, used_gates=prepared.used_gates
    ).lifetimes


def _built(build: Path) -> tuple[Seq2SeqNetwork, dict[str, Any]]:
    if not (build / MANIFEST).is_file() or not (build / "model" / NETWORK).is_file():
        raise UsageError(f"--build {build} must be the output folder of a build; run finn-flirnn build first")
    return load_network(build / "model" / NETWORK)


def _lifetimes(network: Seq2SeqNetwork, codes: Codes, preset: Preset) -> Lifetimes | MeanLifetimes:
    values = network.output_format.dequantise(network.run(codes))
    if network.decoders:
        return lifetimes_from_sfd(values, preset.gate_step_ns)
    return MeanLifetimes.from_outputs(values, preset.gates, preset.gate_step_ns)


def _find_file(file: str) -> Path:
    if Path(file).is_file():
        return Path(file)
    if file in SAMPLES:
        return sample_path(file)
    raise UsageError(f"{file}: no such file; give a .ptu or .sdt file, or a sample: {', '.join(SAMPLES)}")


def _simulate(
    build: Path, network: Seq2SeqNetwork, codes: Codes, pixels: int, progress: Progress
) -> dict[str, int]:
    """Pixels spread over the image, through the build's own hardware."""
    chosen = np.linspace(0, len(codes) - 1, min(pixels, len(codes))).astype(int)
    progress.say(f"simulated hardware: {len(chosen)} pixels")
    config = BuildConfig.from_dict(read_json_file(build / MANIFEST)["config"])
    if config.simulated_lanes != config.group_pixels:
        raise UsageError(
            f"--rtl: the build's frames of {config.lanes} pixels are too large to simulate; leave it out, "
            "or give the build of another order of data"
        )
    top = load_module(build / "rtl")
    model = build_model(top)
    trial = network_trial(network, codes[chosen], config.stream_order(partial=top.inputs[0].last))
    outcome = run_trial(model, trial, pauses=True, seed=1)
    if outcome.mismatches:
        raise MismatchError(
            f"hardware and integer model differ in {outcome.mismatches} of {outcome.codes} codes, "
            f"{first_difference(outcome, trial)}"
        )
    progress.say(f"hardware equals the integer model: {outcome.codes:,} codes, 0 mismatches")
    return {"pixels": len(chosen), "codes": outcome.codes, "mismatches": 0}


def _write(
    folder: Path,
    prepared: PreparedImage,
    found: Lifetimes | MeanLifetimes,
    fit: Lifetimes,
    summary: dict[str, Any],
) -> None:
    """All files at once: below a staging folder first, then by rename."""
    staging = folder / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        for name in (name for name in MAPS if hasattr(found, name)):
            tifffile.imwrite(staging / f"{name}.tif", _map(getattr(found, name), prepared.mask))
        tifffile.imwrite(staging / "fit_tau_m_ns.tif", _map(fit.tau_m_ns, prepared.mask))
        tifffile.imwrite(staging / "photons.tif", prepared.photons.astype(np.float32))
        maps = {
            "integer model": _map(found.tau_m_ns, prepared.mask),
            "maximum-likelihood fit": _map(fit.tau_m_ns, prepared.mask),
        }
        lifetime_map(staging / "lifetime_map.png", maps, prepared.photons, summary["file"])
        write_json(staging / "image.json", summary)
        publish(staging, folder, set())
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _map(values: Reals, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """(pixels,) of the mask as an image (rows, columns), NaN elsewhere."""
    image = np.full(mask.shape, np.nan, np.float32)
    image[mask] = values
    return image
