# SPDX-License-Identifier: BSD-3-Clause
"""The bench: a row is what the reports say, a figure over its budget is named, the table holds them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.build.bench_row import BUDGETS, bench_row
from finn_flirnn.build.bench_table import HEAD, PUBLISHED, render_bench
from finn_flirnn.build.config import BuildConfig, config_names, find_config, load_config
from finn_flirnn.build.main import main
from finn_flirnn.common.errors import EXIT_USAGE
from finn_flirnn.models.checkpoints import load_checkpoint

RTLSIM = {
    "pixels": 64,
    "cycles_per_pixel": 2160.0,
    "first_output_cycles": 8750,
    "answer_cycles": 80,
    "mac_efficiency": 1.0,
    "clock_mhz": 250,
    "pixels_per_s": 250e6 / 2160,
}
SYNTHESIS = {
    "family": "xcup", "lut": 15_000, "ff": 20_000, "dsp": 207, "bram36": 6.0, "uram": 0,
    "abc9_delay_ns": 2.9, "fmax_mhz": None,
}  # fmt: skip


@pytest.fixture
def config() -> BuildConfig:
    return load_config(find_config("zcu104_8bit"))


def row(tmp_path: Path, config: BuildConfig, rtlsim: Any = RTLSIM, synthesis: Any = SYNTHESIS) -> Any:
    (tmp_path / "report").mkdir(exist_ok=True)
    (tmp_path / "report" / "rtlsim.json").write_text(json.dumps(rtlsim))
    (tmp_path / "report" / "synthesis.json").write_text(json.dumps(synthesis))
    return bench_row(config, load_checkpoint("seq2seqlite32_8bit").to_network(), tmp_path, 400.0)


def test_products_a_cycle_follow_from_efficiency_and_cycles(tmp_path: Path, config: BuildConfig) -> None:
    found = row(tmp_path, config)
    # three gates of 8 units by 8 columns twice, of 2 units by the one input column; the head's 3 by 2
    assert found.products_per_cycle == 2 * 3 * 64 + 3 * 2 + 6
    assert found.frame_s == pytest.approx(250_000 * 2160 / 250e6)
    assert found.missed == ()


@pytest.mark.parametrize(
    ("report", "key", "value", "words"),
    [
        ("rtlsim", "cycles_per_pixel", 2700.0, "cycles_per_pixel 2,700 instead of at most 2,600"),
        ("rtlsim", "mac_efficiency", 0.9, "mac_efficiency 0.9 instead of at least 0.95"),
        ("synthesis", "dsp", 221, "dsp 221 instead of at most 220"),
        ("synthesis", "abc9_delay_ns", 3.258, "abc9_delay_ns 3.258 instead of at most 3"),
        ("synthesis", "lut", 18_001, "lut"),
        ("synthesis", "ff", 25_001, "ff"),
    ],
)
def test_a_figure_over_its_budget_is_named(
    report: str, key: str, value: float, words: str, tmp_path: Path, config: BuildConfig
) -> None:
    reports = {"rtlsim": RTLSIM, "synthesis": SYNTHESIS}
    reports[report] = {**reports[report], key: value}
    assert any(words in missed for missed in row(tmp_path, config, **reports).missed)


def test_every_configuration_with_a_budget_is_shipped() -> None:
    assert set(BUDGETS) <= set(config_names())


def test_the_table_has_a_cell_for_every_column(tmp_path: Path, config: BuildConfig) -> None:
    results = {"commit": "0" * 40, "rows": [row(tmp_path, config).to_dict()]}
    lines = [line for line in render_bench(results).splitlines() if line.startswith("|")]
    assert len(lines) == 3 + len(PUBLISHED)
    assert {line.count("|") for line in lines} == {HEAD.count("|")}
    assert "1/45.1" in lines[2]
    assert "Every configuration with a budget is within it." in render_bench(results)


def test_an_unknown_configuration_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "no_such", "--output", str(tmp_path / "out")]) == EXIT_USAGE
    assert "zcu104_8bit" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
