# SPDX-License-Identifier: BSD-3-Clause
"""Measurements in a study: the lifetimes of a model against the fit's, over joined pixels."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from pathlib import Path

from finn_flirnn.common.files import sha256_of
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.evaluation import predict_integer
from finn_flirnn.physics.agreement import agreement_by_pixels
from finn_flirnn.physics.fit import fit_decays
from finn_flirnn.physics.image import prepare_image
from finn_flirnn.physics.instruments import read_image
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.sample_data import SAMPLES, sample_path
from finn_flirnn.study.workload import Result

BINNING = {"hazelnut": 4, "seminal_receptacle": 8}
"""Pixels joined on each side, so that most hold hundreds of photons."""
DEFAULT_BINNING = 4
HEADING = "τm on measurements, model against maximum-likelihood fit"


def content_of_image(image: str) -> str:
    """Hash of a measurement's file; a sample's is known without it. Raises ValueError if there is none."""
    if image in SAMPLES:
        return SAMPLES[image].sha256
    if not Path(image).is_file():
        raise ValueError(f"{image}: no such file; give a .ptu or .sdt file, or one of {', '.join(SAMPLES)}")
    return sha256_of(Path(image))


def judged_on_image(model: Seq2SeqLite, preset: Preset, image: str) -> Result:
    """Agreement by groups of pixels; image: a sample's name or a .ptu or .sdt file.

    A sample that cannot be fetched gives no figures but a note, and is tried again the next time. Raises
    ValueError for an image that cannot be read or does not suit the model.
    """
    try:
        path = sample_path(image) if image in SAMPLES else Path(image)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        return Result({}, note=f"not measured, the file cannot be had: {error}", final=False)
    prepared = prepare_image(read_image(path), preset, BINNING.get(image, DEFAULT_BINNING))
    if not prepared.mask.any():
        raise ValueError(f"{image}: no pixel has enough photons; give a brighter measurement")
    predicted = predict_integer(model, prepared.counts[prepared.mask])
    found: Lifetimes | MeanLifetimes = (
        lifetimes_from_sfd(predicted, preset.gate_step_ns)
        if predicted.ndim == 3
        else MeanLifetimes.from_outputs(predicted, preset.gates, preset.gate_step_ns)
    )
    fit = fit_decays(
        prepared.measured[prepared.mask], prepared.grid, prepared.irf.irf, used_gates=prepared.used_gates
    )
    rows = {
        f"{image}, {group}": asdict(agreement)
        | ({} if of_model is None else {"deviance_model": of_model})
        | {"deviance_fit": of_fit}
        for group, (agreement, of_model, of_fit) in agreement_by_pixels(prepared, found, fit).items()
    }
    grid, width = prepared.grid, float(prepared.irf.irf.fwhm_ns)
    note = f"{grid.count} bins of {grid.step_ns:.4f} ns resampled to {preset.gates} gates; IRF {width:.2f} ns"
    if prepared.blur_fwhm_ns:
        note += f", widened by {prepared.blur_fwhm_ns:.2f} ns to one that the model knows"
    if prepared.irf_is_too_wide:
        note += ", wider than any that the model knows"
    return Result({}, groups={HEADING: rows}, note=note)
