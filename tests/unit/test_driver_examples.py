# SPDX-License-Identifier: BSD-3-Clause
"""Test set and image of a validation, as files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.driver import DeploymentError
from finn_flirnn.driver.examples import EXAMPLE_INPUT, EXAMPLE_TRUTH, EXPECTED_OUTPUT, Examples, ImageSample

STEPS = 12


@pytest.fixture(scope="module")
def meta() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        fakes = importlib.import_module("oracle_engine")
    return fakes.metadata_of(fakes.small_network(STEPS), 2)


def an_image() -> ImageSample:
    mask = np.array([[True, False, True], [False, True, True]])
    counts = np.arange(4 * STEPS, dtype=np.float32).reshape(4, STEPS)
    expected = np.arange(4 * STEPS * 3).reshape(4, STEPS, 3) % 100
    return ImageSample("cell.ptu", counts, expected, mask, np.arange(6).reshape(2, 3), np.arange(4.0))


def test_image_is_read_back_as_it_was_saved(meta: Any, tmp_path: Path) -> None:
    image = an_image()
    image.save(tmp_path / "image.npz")
    again = ImageSample.read(tmp_path / "image.npz", meta)
    assert again.name == image.name
    for key in ("counts", "expected", "mask", "photons", "fit_tau_m_ns"):
        assert np.array_equal(getattr(again, key), getattr(image, key)), key


def test_few_pixels_of_an_image_keep_their_places(meta: Any) -> None:
    few = an_image().spread(2)
    assert few.mask.tolist() == [[True, False, False], [False, False, True]]
    shown = few.map_of(few.fit_tau_m_ns)
    assert shown[0, 0] == 0.0 and shown[1, 2] == 3.0 and np.isnan(shown).sum() == 4
    assert an_image().spread(9).mask.sum() == 4


@pytest.mark.parametrize("key", ["counts", "expected", "photons", "fit_tau_m_ns"])
def test_image_whose_parts_do_not_fit_is_named(meta: Any, tmp_path: Path, key: str) -> None:
    parts = dict(vars(an_image()))
    parts[key] = parts[key][1:]
    np.savez(tmp_path / "image.npz", **parts)
    with pytest.raises(DeploymentError, match=f"image.npz: {key} has shape"):
        ImageSample.read(tmp_path / "image.npz", meta)


def test_file_that_is_no_image_is_named(meta: Any, tmp_path: Path) -> None:
    (tmp_path / "image.npz").write_bytes(b"nothing")
    with pytest.raises(DeploymentError, match="image.npz must be an image of finn-flirnn validate"):
        ImageSample.read(tmp_path / "image.npz", meta)
    with pytest.raises(DeploymentError, match="absent.npz must be an image"):
        ImageSample.read(tmp_path / "absent.npz", meta)


def test_truth_of_the_test_set_is_read_and_cut_with_it(meta: Any, tmp_path: Path) -> None:
    np.save(tmp_path / EXAMPLE_INPUT, np.ones((3, STEPS)))
    np.save(tmp_path / EXPECTED_OUTPUT, np.ones((3, STEPS, 3)))
    assert Examples.read(tmp_path, meta).truth is None
    np.save(tmp_path / EXAMPLE_TRUTH, np.array([[0.5, 2.0, 0.25]] * 3))
    examples = Examples.read(tmp_path, meta).first(2)
    assert examples.truth is not None and np.allclose(examples.truth.tau_m_ns, [1.625, 1.625])
    assert examples.true_decays(meta)[:, 0].tolist() == [[1.0, 0.25, 0.75]] * 2
