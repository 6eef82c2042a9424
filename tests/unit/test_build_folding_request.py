# SPDX-License-Identifier: BSD-3-Clause
"""A configuration that says how fast or how large becomes one with a concrete folding, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.build.automatic_folding import folding_for
from finn_flirnn.build.config import BuildConfig, find_config, load_config
from finn_flirnn.build.sources import sizes_of
from finn_flirnn.common.errors import ConfigError


def load(tmp_path: Path, more: dict[str, Any], *without: str) -> BuildConfig:
    tree = json.loads(find_config("zcu104_8bit").read_text()) | more
    path = tmp_path / "config.json"
    path.write_text(json.dumps({key: value for key, value in tree.items() if key not in without}))
    return load_config(path, sizes_of, choose=folding_for)


@pytest.mark.parametrize("request_", [{"max_resources": {"dsp": 220}}, {"target_pixels_per_s": 100_000}])
def test_a_request_becomes_a_concrete_folding(tmp_path: Path, request_: dict[str, Any]) -> None:
    config = load(tmp_path, request_, "folding", "lanes")
    shown = config.to_dict()
    assert not request_.keys() & shown.keys()
    assert shown["lanes"] == config.gru_folding("encoder").lanes > 1
    decoder = shown["folding"]["decoder"]
    assert 135 * (32 // decoder["pe"]) * (32 // decoder["simd"]) <= 2_500
    assert BuildConfig.from_dict(shown).sha256 == config.sha256


def test_a_target_out_of_reach_is_a_problem_that_tells_the_best(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"target_pixels_per_s: .* best that fits takes \d+ cycles a pixel"):
        load(tmp_path, {"target_pixels_per_s": 1e8}, "folding", "lanes")


@pytest.mark.parametrize(
    ("more", "without", "paths"),
    [
        ({"target_pixels_per_s": 1000}, (), {"folding", "lanes"}),
        ({"target_pixels_per_s": 1000}, ("folding",), {"lanes"}),
        (
            {"target_pixels_per_s": 1000, "max_resources": {}, "clock_mhz": 0},
            ("folding", "lanes"),
            {"max_resources", "clock_mhz"},
        ),
        ({"target_pixels_per_s": 0}, ("folding", "lanes"), {"target_pixels_per_s"}),
        (
            {"max_resources": {"dsp": -1, "dsps": 2}},
            ("folding", "lanes"),
            {"max_resources.dsp", "max_resources.dsps"},
        ),
    ],
)
def test_a_wrong_request_is_refused_with_every_problem(
    tmp_path: Path, more: dict[str, Any], without: tuple[str, ...], paths: set[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, more, *without)
    assert {problem.path for problem in refused.value.problems} == paths
