# SPDX-License-Identifier: BSD-3-Clause
"""The deployment package where there is numpy and nothing else: unpacked, and installed from its wheel."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import finn_flirnn
from finn_flirnn.build.deploy import PACKAGE, assemble_deployment
from finn_flirnn.driver import AcceleratorMetadata
from finn_flirnn.driver.examples import ImageSample
from finn_flirnn.physics.lifetimes import lifetimes_from_sfd
from finn_flirnn.physics.metrics import rmse
from tests.integration.deployment import FAKES, PIXELS, PRESET, SPEC, Made, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def deploy(made: Made, tmp_path: Path) -> Path:
    return assemble_deployment(
        tmp_path / "build", SPEC, made.network, made.module, made.counts, made.bitfile, made.truth
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment that holds numpy and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for path in Path(np.__file__).parents[1].glob("numpy*"):
        (site / path.name).symlink_to(path)
    return folder / "bin" / "python"


def in_bare(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bare environment's Python with a model of pynq beside it."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FAKES), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [str(python), "-W", "error", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_unpacked_archive_validates_where_only_numpy_is(deploy: Path, bare: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(deploy.parent / "deploy.zip") as archive:
        archive.extractall(tmp_path / "board")
    absent = in_bare(bare, tmp_path, "-c", "import finn_flirnn")
    assert "ModuleNotFoundError" in absent.stderr
    done = in_bare(bare, tmp_path / "board" / "deploy", "validate.py")
    assert done.returncode == 0, done.stderr
    assert f"{PIXELS} pixels" in done.stdout and done.stdout.endswith("EQUAL\n")


def test_the_board_itself_writes_the_whole_report(
    made: Made, deploy: Path, bare: Path, tmp_path: Path
) -> None:
    """numpy alone: codes, truth, a measured image, page and figures."""
    mask = np.array([[True, False, True], [True, True, True]])
    image = ImageSample(
        "cell.ptu", made.counts, np.load(deploy / "expected_output.npy"), mask, 9 * mask, made.truth.tau_m_ns
    )
    image.save(tmp_path / "image.npz")
    done = in_bare(
        bare, deploy, "validate.py", "--image", str(tmp_path / "image.npz"), "--output", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "validation.json").read_text())
    assert (report["outcome"], report["measured_in"], report["pauses"]) == ("equal", "wall time", None)
    assert (report["image"]["name"], report["image"]["mismatches"]) == ("cell.ptu", 0)
    assert report["latency"]["predicted_seconds"] == SPEC.latency_s
    network, codes = made.network, np.load(deploy / "expected_output.npy")
    sfd = network.output_format.dequantise(codes.astype(np.int64))
    assert report["accuracy"]["rmse"] == dict(
        zip(("full", "short", "long"), rmse(sfd, made.decays.sfd).tolist(), strict=True)
    )
    found = lifetimes_from_sfd(sfd, PRESET.gate_step_ns)
    error = np.abs(found.tau_m_ns - made.decays.tau_m_ns).mean()
    assert report["accuracy"]["mean_absolute_error"]["tau_m_ns"] == pytest.approx(error)
    page = (tmp_path / "validation.html").read_text()
    assert page.count("<svg") == 3 and "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_wheel_installs_without_a_network_and_works_from_anywhere(
    deploy: Path, bare: Path, tmp_path: Path
) -> None:
    (wheel,) = deploy.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(bare), "--disable-pip-version-check"]
    installed = subprocess.run(
        [*pip, "install", "--no-index", str(wheel)], capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    program = (
        f"import sys, numpy, {PACKAGE}\n"
        f"assert {PACKAGE}.__file__.startswith(sys.prefix), {PACKAGE}.__file__\n"
        f"with {PACKAGE}.Accelerator.open(sys.argv[1]) as accelerator:\n"
        "    counts = numpy.load(sys.argv[1] + '/example_input.npy')\n"
        "    print(accelerator.infer(counts).shape)\n"
    )
    done = in_bare(bare, tmp_path, "-c", program, str(deploy))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"({PIXELS}, 40, 3)\n"
    kept = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False)
    assert kept.returncode == 0, kept.stdout


def test_the_wheel_records_every_file_and_names_its_build(deploy: Path) -> None:
    (wheel,) = deploy.glob("*.whl")
    build = AcceleratorMetadata.read(deploy).build_id
    assert wheel.name == f"{PACKAGE}-{finn_flirnn.__version__}+{build}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    info = f"{PACKAGE}-{finn_flirnn.__version__}+{build}.dist-info"
    recorded = dict(line.split(",", 1) for line in content[f"{info}/RECORD"].decode().splitlines())
    assert set(recorded) == set(content)
    for name, entry in recorded.items():
        if name != f"{info}/RECORD":
            digest = base64.urlsafe_b64encode(hashlib.sha256(content[name]).digest()).rstrip(b"=").decode()
            assert entry == f"sha256={digest},{len(content[name])}"
    for path in (deploy / PACKAGE).rglob("*.py"):
        assert content[path.relative_to(deploy).as_posix()] == path.read_bytes()
    assert b"Requires-Dist: numpy" in content[f"{info}/METADATA"]
    assert b"finn-plus" not in content[f"{info}/METADATA"]
    assert content[f"{info}/LICENSE"] == (deploy / "LICENSE").read_bytes()
