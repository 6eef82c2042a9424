# SPDX-License-Identifier: BSD-3-Clause
"""The figures that a board makes with numpy alone."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from io import BytesIO

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from finn_flirnn.driver.figures import coloured, decay_figure, map_figure, png, scatter_figure

SVG = "{http://www.w3.org/2000/svg}"


def test_png_is_read_back_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    read = matplotlib.image.imread(BytesIO(png(pixels)), format="png")
    assert np.array_equal(np.round(255 * read).astype(np.uint8)[..., :3], pixels)


def test_colours_are_turbo() -> None:
    values = np.linspace(0, 1, 101)[np.newaxis]
    found = coloured(values, np.ones_like(values)) / 255
    error = np.abs(found - matplotlib.colormaps["turbo"](values)[..., :3])
    assert error.mean() < 0.03 and error.max() < 0.13  # the polynomials are worst at the dark ends


def test_masked_pixels_are_black_and_dim_ones_keep_their_hue() -> None:
    bright, dim, masked = coloured(np.array([[0.5, 0.5, np.nan]]), np.array([[1.0, 0.0, 1.0]]))[0].astype(int)
    assert masked.tolist() == [0, 0, 0]
    assert np.abs(dim - 0.15 * bright).max() <= 1 and dim.max() > 0


@pytest.mark.parametrize("truth", [True, False])
def test_decay_figure_shows_each_component_and_the_truth_where_known(truth: bool) -> None:
    times = np.arange(8) * 0.1
    decays = np.full((2, 8, 3), 0.5)
    figure = decay_figure(times, ["a", "b"], np.zeros((2, 8)), decays, decays if truth else None)
    lines = ElementTree.fromstring(figure).findall(f".//{SVG}polyline")
    assert len(lines) == 2 * 3 * (1 + truth)
    assert ("truth" in figure) == truth


def test_scatter_holds_a_dot_for_every_pixel() -> None:
    truth = np.array([0.5, 1.0, 2.0])
    dots = ElementTree.fromstring(scatter_figure(truth, truth)).findall(f".//{SVG}circle")
    places = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in dots]
    assert places == [(135.0, 239.0), (210.0, 164.0), (360.0, 14.0)]


def test_map_figure_has_an_image_a_map_and_one_scale() -> None:
    tau = np.array([[0.5, np.nan], [1.0, 2.0]])
    root = ElementTree.fromstring(map_figure({"device": tau, "fit": tau}, np.ones((2, 2))))
    assert len(root.findall(f".//{SVG}image")) == 3
    words = [node.text for node in root.findall(f".//{SVG}text")]
    assert words[:2] == ["device", "fit"] and "mean lifetime (ns)" in words
