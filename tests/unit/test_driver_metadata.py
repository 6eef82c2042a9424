# SPDX-License-Identifier: BSD-3-Clause
"""accelerator.json: what it holds, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.driver import AcceleratorMetadata, DeploymentError, Stream
from finn_flirnn.driver.metadata import FILE_NAME, SCHEMA, sha256_of
from finn_flirnn.numerics import Format

META = AcceleratorMetadata(
    schema=SCHEMA,
    name="zcu104_8bit",
    project_version="0.1.0",
    build_id="0123456789abcdef",
    model_sha256="ab" * 32,
    board="ZCU104",
    clock_mhz=200.0,
    pixels_per_s=80_000.0,
    steps=135,
    lanes=8,
    inputs=1,
    outputs=3,
    output_names=("full", "short", "long"),
    input_stream=Stream(1, Format(8, 8, signed=False)),
    output_stream=Stream(3, Format(12, 10)),
    gate_step_ns=0.09,
    dark_gates=4,
    conditions={"preset": "paper135", "irf_fwhm_ns": 0.25},
    bitfile=None,
    files={},
)


def test_metadata_survive_a_round_trip() -> None:
    assert AcceleratorMetadata.from_json(META.to_json()) == META


def test_equal_metadata_give_equal_bytes() -> None:
    turned = replace(META, conditions=dict(reversed(META.conditions.items())))
    assert turned.to_json() == META.to_json()


def test_group_bytes_count_padded_transfers() -> None:
    assert META.group_input_bytes == 135 * 8
    assert META.group_output_bytes == 135 * 8 * 5  # 36 bits in 5 bytes


def _drop(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.pop(key)


def _put(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("lanes"), r"missing \['lanes'\]"),
        (_put("colour", 1), r"unknown \['colour'\]"),
        (_put("schema", 99), "schema=99 is not"),
        (_put("steps", 0), "steps=0 must be at least 1"),
        (_put("steps", "135"), "steps='135' must be int"),
        (_put("lanes", True), "lanes=True must be int"),
        (_put("bitfile", 3), "bitfile=3 must be str or NoneType"),
        (_put("output_names", ["full"]), "must name 3 outputs"),
        (_put("input_stream", {"elements": 1}), r"missing \['format'\]"),
        (_put("input_stream", 5), "must be an object, got int"),
        (
            _put(
                "input_stream",
                {"elements": 0, "format": {"bits": 8, "frac": 0, "signed": True, "narrow": False}},
            ),
            "elements=0 must be at least 1",
        ),
        (
            _put(
                "input_stream",
                {"elements": 2, "format": {"bits": 8, "frac": 0, "signed": True, "narrow": False}},
            ),
            "2 elements a transfer must divide 1 features",
        ),
        (
            _put(
                "input_stream",
                {"elements": 1, "format": {"bits": 99, "frac": 0, "signed": True, "narrow": False}},
            ),
            "bits=99",
        ),
        (
            _put(
                "input_stream",
                {"elements": 1, "format": {"bits": "8", "frac": 0, "signed": True, "narrow": False}},
            ),
            "input_stream",
        ),
    ],
)
def test_damaged_metadata_are_refused_by_name(change: Callable[[dict[str, Any]], None], message: str) -> None:
    data = json.loads(META.to_json())
    change(data)
    with pytest.raises(DeploymentError, match=message):
        AcceleratorMetadata.from_json(json.dumps(data))


def test_truncated_file_is_refused() -> None:
    with pytest.raises(DeploymentError, match="must be JSON"):
        AcceleratorMetadata.from_json(META.to_json()[:-20])


def test_missing_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=rf"{FILE_NAME} must exist; give the deploy directory"):
        AcceleratorMetadata.read(tmp_path)


def test_every_altered_or_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("a.npy", "b.npy"):
        (tmp_path / name).write_bytes(b"same")
    digest = sha256_of(tmp_path / "a.npy")
    meta = replace(META, files={"a.npy": digest, "b.npy": digest, "c.npy": digest})
    (tmp_path / "b.npy").write_bytes(b"Same")
    with pytest.raises(DeploymentError, match=r"b\.npy is not the file.*c\.npy is missing") as caught:
        meta.check_files(tmp_path)
    assert "a.npy" not in str(caught.value)
