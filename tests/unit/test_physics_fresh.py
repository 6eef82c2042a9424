# SPDX-License-Identifier: BSD-3-Clause
"""Honest tests: IRFs that no training meets, figures that do not depend on the parts, changed conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finn_flirnn.physics import fresh_test
from finn_flirnn.physics.bayes import known_irf
from finn_flirnn.physics.conditions import CONDITIONS
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.fresh_test import (
    by_condition,
    fit_irf_method,
    fit_method,
    fit_shift_method,
    fresh_errors,
)
from finn_flirnn.physics.irf import IrfHistogram
from finn_flirnn.physics.irf_split import SHIFT_CELL_NS, WIDTH_CELL_NS, IrfSplit, tenth_of
from finn_flirnn.physics.lifetimes import MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import lifetime_errors, pooled_r2, rmse
from finn_flirnn.physics.pixel_errors import PixelErrors
from finn_flirnn.physics.presets import PAPER135, PRESETS, Preset
from finn_flirnn.physics.prior import prior_mean_sfd


def cells(decays: Decays) -> set[tuple[int, int]]:
    width = np.floor(decays.irf_fwhm_ns / WIDTH_CELL_NS).astype(int)
    shift = np.floor(decays.irf_shift_ns / SHIFT_CELL_NS).astype(int)
    return set(zip(width.tolist(), shift.tolist(), strict=True))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_training_validation_and_test_share_no_irf(preset: Preset) -> None:
    # the same seed for all: the split alone keeps them apart
    few = replace(preset, gates=20, gate_step_ns=0.3, gate_width_ns=0.3, irf_position_ns=5.0)
    found = {split: cells(simulate(few, 4000, 1, split=split)) for split in IrfSplit}
    train, validation, test = found.values()
    assert not train & validation and not train & test and not validation & test
    whole = simulate(few, 4000, 2)
    shares = [split.holds(whole.irf_fwhm_ns, whole.irf_shift_ns).mean() for split in IrfSplit]
    assert sum(shares) == pytest.approx(1) and 0.7 < shares[0] < 0.9 and min(shares[1:]) > 0.05


def test_tests_irfs_are_distributed_as_the_presets() -> None:
    whole, test = simulate(PAPER135, 3000, 1), simulate(PAPER135, 3000, 1, split=IrfSplit.TEST)
    for name in ("irf_fwhm_ns", "irf_shift_ns"):
        ranges = np.quantile(getattr(whole, name), [0.1, 0.5, 0.9])
        spread = ranges[2] - ranges[0]
        np.testing.assert_allclose(
            np.quantile(getattr(test, name), [0.1, 0.5, 0.9]), ranges, atol=0.1 * spread
        )
    # what is no IRF is the same draw
    assert np.array_equal(whole.tau1_ns, test.tau1_ns)


def test_tenths_are_equally_frequent() -> None:
    width, shift = np.meshgrid(np.arange(0.2, 0.3, 0.001), np.arange(-0.18, 0.18, 0.003))
    share = np.bincount(tenth_of(width.ravel(), shift.ravel()), minlength=10) / width.size
    assert share.min() > 0.05 and share.max() < 0.16


def test_measured_irf_is_split_by_its_own_width() -> None:
    irf = IrfHistogram(np.array([1.0, 3.0, 1.0]), 0.1, 1.7)
    decays = simulate(PAPER135, 500, 3, irf, IrfSplit.TEST)
    assert IrfSplit.TEST.holds(decays.irf_fwhm_ns, decays.irf_shift_ns).all()


def test_preset_with_one_irf_cannot_be_split() -> None:
    one = known_irf(PAPER135)
    holds = IrfSplit.TRAIN.holds(np.array([one.irf_fwhm_range_ns[0]]), np.zeros(1))[0]
    with pytest.raises(ValueError, match="the IRFs of paper135 hardly vary"):
        simulate(one, 2, 0, split=IrfSplit.TEST if holds else IrfSplit.TRAIN)


def guess(decays: Decays) -> tuple[np.ndarray, None]:
    return np.broadcast_to(prior_mean_sfd(decays.preset), decays.sfd.shape), None


def test_figures_are_those_of_the_metrics() -> None:
    decays = simulate(PAPER135, 200, 4)
    sfd = np.clip(decays.sfd + np.random.default_rng(0).normal(0, 0.05, decays.sfd.shape), 0.01, None)
    figures = PixelErrors.of(sfd, decays).figures()
    errors = lifetime_errors(lifetimes_from_sfd(sfd, 0.09), decays)
    wanted = [*rmse(sfd, decays.sfd), *pooled_r2(sfd, decays.sfd)]
    wanted += [errors.tau_m_ns, errors.tau1_ns, errors.tau2_ns, errors.amplitude_fraction]
    names = [f"{name}_{channel}" for name in ("rmse", "r2") for channel in ("full", "short", "long")]
    names += ["tau_m_mae_ns", "tau1_mae_ns", "tau2_mae_ns", "fraction_mae"]
    np.testing.assert_allclose([figures[name] for name in names], wanted, atol=1e-6)
    norm = np.linalg.norm(sfd[:, :, 0] - decays.sfd[:, :, 0], axis=1).mean()
    assert figures["l2_full"] == pytest.approx(norm, abs=1e-6)


def test_lifetimes_alone_have_no_errors_of_decays() -> None:
    decays = simulate(PAPER135, 50, 4)
    outputs = MeanLifetimes(decays.tau_m_ns + 0.1, decays.amplitude_fraction).as_outputs(135, 0.09)
    assert PixelErrors.of(outputs, decays).figures() == pytest.approx(
        {"tau_m_mae_ns": 0.1, "fraction_mae": 0.0}, abs=1e-5
    )


def test_parts_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_test, "PART", 40)
    seen: list[int] = []

    def method(decays: Decays) -> tuple[np.ndarray, None]:
        seen.append(len(decays))
        return guess(decays)

    errors = fresh_errors(method, PAPER135, 100, (1,))
    assert seen == [40, 40, 20] and len(errors) == 100
    assert len(np.unique(errors.peak_counts)) == 100
    groups = errors.by_peak()
    assert groups.keys() <= {"50 to 100", "100 to 300", "300 to 1000", "1000 to 2000"}
    assert groups["1000 to 2000"]["rmse_full"] > 0


def test_every_condition_changes_the_decays_and_only_them() -> None:
    changed = [change(PAPER135) for change in CONDITIONS.values()]
    assert changed[0] == PAPER135 and len(set(changed)) == len(changed)
    assert {p.grid.starts_ns.tobytes() for p in changed} == {PAPER135.grid.starts_ns.tobytes()}
    counts = [simulate(p, 2, 1).counts.tobytes() for p in changed]
    assert len(set(counts)) == len(counts)


def test_fit_that_knows_the_irf_lies_below_one_that_fits_its_shift() -> None:
    known, shifted = (fresh_errors(m, PAPER135, 200, (3,)).figures() for m in (fit_method, fit_shift_method))
    prior = fresh_errors(guess, PAPER135, 200, (3,)).figures()
    for name in ("rmse_full", "tau_m_mae_ns"):
        assert known[name] < 0.6 * shifted[name] < 0.6 * prior[name]


def test_fit_of_the_irf_finds_bright_decays_without_being_told_theirs() -> None:
    bright = replace(PAPER135, peak_range=(2000.0, 2000.0))
    told, fitted, nominal = (
        fresh_errors(m, bright, 60, (5,)).figures() for m in (fit_method, fit_irf_method, fit_shift_method)
    )
    assert told["tau_m_mae_ns"] < fitted["tau_m_mae_ns"] < 0.8 * nominal["tau_m_mae_ns"]


def test_shift_is_free_by_a_gate_where_the_preset_holds_the_irf_still() -> None:
    still = replace(known_irf(PAPER135), peak_range=(1500.0, 2000.0))
    decays = simulate(still, 60, 4)
    sfd, lifetimes = fit_shift_method(decays)
    figures = PixelErrors.of(sfd, decays, lifetimes).figures()
    assert figures["tau_m_mae_ns"] < 0.05


def test_fit_that_knows_the_conditions_does_not_break() -> None:
    figures = by_condition(fit_method, PAPER135, 60, seed=2)
    assert figures.keys() == CONDITIONS.keys()
    prior = fresh_errors(guess, PAPER135, 60, (2,)).figures()
    assert all(f["rmse_full"] < 0.5 * prior["rmse_full"] for f in figures.values())
