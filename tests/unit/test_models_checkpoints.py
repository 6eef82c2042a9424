# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints: whole round trips, and damage that is recognised."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.checkpoints import (
    CheckpointError,
    load_checkpoint,
    load_manifest,
    save_checkpoint,
    shipped_checkpoints,
    write_atomically,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    model = Seq2SeqLite(hidden=3, steps=4, reset="before", gate="hard_sigmoid", state_bits=6, output_bits=10)
    return save_checkpoint(model, tmp_path / "small", {"metrics": {"rmse_full": 0.5}})


def test_saved_model_comes_back_equal(saved: Path) -> None:
    torch.manual_seed(2)
    original = Seq2SeqLite(
        hidden=3, steps=4, reset="before", gate="hard_sigmoid", state_bits=6, output_bits=10
    )
    for given in (saved, saved.with_suffix(""), str(saved)):
        loaded = load_checkpoint(given)
        assert not loaded.training
        assert loaded.config == original.config
        assert all(
            np.array_equal(value, loaded.float_weights()[name])
            for name, value in original.float_weights().items()
        )


def test_manifest_holds_choices_formats_versions_and_facts(saved: Path) -> None:
    manifest = load_manifest(saved)
    assert manifest["model"]["state_bits"] == 6
    assert manifest["formats"]["encoder"]["state"] == {"bits": 6, "frac": 5, "signed": True, "narrow": True}
    assert manifest["formats"]["head"]["output"]["frac"] == 8
    assert manifest["metrics"] == {"rmse_full": 0.5}
    assert {"torch", "brevitas", "numpy", "finn_flirnn", "python"} <= set(manifest["versions"])


def test_saving_leaves_only_the_two_files(saved: Path) -> None:
    assert sorted(path.name for path in saved.parent.iterdir()) == ["small.json", "small.npz"]


def test_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(CheckpointError, match="no checkpoint 'nothing'.*seq2seqlite32_8bit"):
        load_checkpoint("nothing")


def test_damaged_weights_are_recognised(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="small.npz with its manifest is no Seq2SeqLite"):
        load_checkpoint(saved)


def test_pickled_arrays_are_refused(saved: Path) -> None:
    np.savez(saved, **{"head.bias": np.array([{}], dtype=object)})
    with pytest.raises(CheckpointError, match="is no Seq2SeqLite"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a manifest of version 1"),
        ('{"version": 2}', "must be a manifest of version 1"),
        ('{"version": 1}', 'must hold "model"'),
        ('{"version": 1, "model": {"hidden": 3, "colour": 1}}', "colour"),
        (
            '{"version": 1, "model": {"hidden": 5, "steps": 4}}',
            r"head.weight has shape \(3, 3\), expected \(3, 5\)",
        ),
    ],
)
def test_manifest_that_does_not_fit_is_refused(saved: Path, text: str, message: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved)


def test_missing_manifest_is_named(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="small.json is missing"):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", shipped_checkpoints())
def test_shipped_manifest_describes_the_shipped_weights(name: str) -> None:
    model, manifest = load_checkpoint(name), load_manifest(name)
    assert manifest["model"] == model.config
    weight = manifest["formats"]["encoder"]["weight_hh"]
    assert model.to_network().encoder.formats.weight_hh.frac == weight["frac"]
    assert json.dumps(manifest["training"]["conditions"])
    measured = manifest["metrics"]["test"]["integer"]
    assert measured["tau_m_mae_ns"] <= 0.1
    assert not model.decoders or measured["rmse_full"] <= 0.03
