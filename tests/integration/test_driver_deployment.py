# SPDX-License-Identifier: BSD-3-Clause
"""A deployment package on its own: on a "board" that has numpy and a model of pynq, and no finn_flirnn."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import finn_flirnn
from finn_flirnn.build.deploy import PACKAGE, assemble_deployment, build_identifier
from finn_flirnn.build.manifest import Manifest, StepRecord
from finn_flirnn.driver import AcceleratorMetadata, DeploymentError
from finn_flirnn.physics.preprocess import normalise
from tests.integration.deployment import FAKES, LANES, PIXELS, SPEC, Made, make, write_bitfile


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def deploy(made: Made, tmp_path: Path) -> Path:
    return assemble_deployment(tmp_path / "build", SPEC, made.network, made.module, made.counts, made.bitfile)


BOARD = """
import runpy, sys
for absent in ("finn_flirnn", "scipy", "torch", "onnx", "qonnx", "finn"):
    sys.modules[absent] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, ".")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def on_board(deploy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a file of the package where finn_flirnn and its dependencies cannot be imported."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BOARD, *arguments],
        cwd=deploy,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(FAKES), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def result_of(deploy: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, JSON result and terminal output of validate.py."""
    report = deploy.parent / "result.json"
    done = on_board(deploy, "validate.py", "--json", str(report), *arguments)
    assert report.exists(), done.stderr
    return done.returncode, json.loads(report.read_text()), done.stdout + done.stderr


def test_validate_on_the_board_finds_every_code_equal(deploy: Path) -> None:
    status, result, text = result_of(deploy)
    assert status == 0, text
    assert result["outcome"] == "equal"
    assert (result["pixels"], result["codes"], result["mismatches"]) == (PIXELS, PIXELS * 40 * 3, 0)
    assert result["first_mismatch"] is None and result["pixels_per_s"] > 0
    assert "EQUAL" in text and "predicted for the board: 1234.5 pixels/s" in text


def test_validate_may_compare_some_pixels_only(deploy: Path) -> None:
    status, result, text = result_of(deploy, "--pixels", "2")
    assert (status, result["pixels"]) == (0, 2), text


def _repair_hash(deploy: Path, name: str) -> None:
    """Make accelerator.json agree with an altered file, as if the whole package were of another build."""
    from finn_flirnn.driver.metadata import FILE_NAME, sha256_of

    meta = AcceleratorMetadata.read(deploy)
    meta = replace(meta, files={**meta.files, name: sha256_of(deploy / name)})
    (deploy / FILE_NAME).write_text(meta.to_json())


def test_flipped_bit_of_the_hardware_is_located(deploy: Path) -> None:
    bitfile = deploy / "bitfile" / "top.bit"
    known = dict(np.load(bitfile))
    known["outputs"] = known["outputs"].copy()
    known["outputs"][1].reshape(40, LANES, 3)[7, 1, 2] ^= 4  # group 1, lane 1 is pixel 3
    with bitfile.open("wb") as file:
        np.savez(file, **known)
    _repair_hash(deploy, "bitfile/top.bit")
    status, result, text = result_of(deploy)
    assert (status, result["outcome"], result["mismatches"]) == (1, "different", 1), text
    first = result["first_mismatch"]
    assert (first["pixel"], first["step"], first["output"]) == (3, 7, 2)
    assert first["expected"] ^ first["got"] in (4, -4)
    assert "first mismatch: pixel 3, step 7, output 2" in text and "DIFFERENT" in text


@pytest.mark.parametrize(
    "name", ["example_input.npy", "expected_output.npy", "bitfile/top.bit", f"{PACKAGE}/driver/packing.py"]
)
def test_flipped_bit_of_a_file_is_named(deploy: Path, name: str) -> None:
    content = bytearray((deploy / name).read_bytes())
    content[-1] ^= 1
    if name.endswith(".py"):
        content[-1:] = b"\n#\n"
    (deploy / name).write_bytes(content)
    status, result, text = result_of(deploy)
    assert (status, result["outcome"], result["error"]) == (2, "failed", "DeploymentError"), text
    assert f"{name} is not the file of this build" in result["message"]
    assert name in text


@pytest.mark.parametrize("name", ["expected_output.npy", "bitfile/top.hwh", "accelerator.json"])
def test_missing_file_is_named(deploy: Path, name: str) -> None:
    (deploy / name).unlink()
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert Path(name).name in result["message"]


def test_bitfile_of_another_build_is_named(deploy: Path, made: Made) -> None:
    """Whose weights differ: every file is whole, but the bitfile was copied from elsewhere."""
    head = replace(made.network.head, bias=made.network.head.bias + 3)
    other = replace(made.network, head=head)
    write_bitfile(deploy / "bitfile" / "top.bit", other, made.module, made.counts)
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert "bitfile/top.bit is not the file of this build" in result["message"]
    _repair_hash(deploy, "bitfile/top.bit")
    status, result, text = result_of(deploy)
    assert (status, result["outcome"]) == (1, "different"), text


def test_hardware_that_says_it_is_of_another_build_is_named(deploy: Path, made: Made) -> None:
    """The file is the package's own, but what it makes of the FPGA has another identifier."""
    bitfile = deploy / "bitfile" / "top.bit"
    with np.load(bitfile) as known:
        changed = {**known, "build": "0123456789abcdef"}
    with bitfile.open("wb") as file:
        np.savez(file, **changed)
    _repair_hash(deploy, "bitfile/top.bit")
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "WrongBuildError"), text
    assert f"must be build {build_identifier(made.module)}" in result["message"]
    assert "says that it is 0123456789abcdef" in result["message"]


@pytest.mark.parametrize("shape", [(PIXELS, 39), (0, 40), (PIXELS, 40, 1)])
def test_examples_of_a_wrong_shape_are_named(deploy: Path, shape: tuple[int, ...]) -> None:
    np.save(deploy / "example_input.npy", np.ones(shape, np.uint16))
    _repair_hash(deploy, "example_input.npy")
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert f"has shape {shape}" in result["message"]


def test_examples_that_are_no_array_are_named(deploy: Path) -> None:
    (deploy / "expected_output.npy").write_bytes(b"not numpy")
    _repair_hash(deploy, "expected_output.npy")
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert "expected_output.npy must be a numpy array" in result["message"]


def test_package_without_bitfile_says_what_to_do(made: Made, tmp_path: Path) -> None:
    deploy = assemble_deployment(tmp_path, SPEC, made.network, made.module, made.counts)
    status, result, text = result_of(deploy)
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert "built without a bitfile" in result["message"]


def test_simulation_needs_finn_flirnn_and_says_so(deploy: Path) -> None:
    status, result, text = result_of(deploy, "--device", "sim", "--build", ".")
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert "pip install finn-flirnn" in result["message"]


def test_simulation_without_its_build_is_a_usage_error(deploy: Path) -> None:
    done = on_board(deploy, "validate.py", "--device", "sim")
    assert done.returncode == 2
    assert "--device sim needs --build DIR" in done.stderr


def test_result_that_cannot_be_written_is_a_failure(deploy: Path) -> None:
    done = on_board(deploy, "validate.py", "--json", "absent/result.json")
    assert done.returncode == 2
    assert "EQUAL" in done.stdout
    assert "must be written to absent/result.json" in done.stderr


def test_example_of_the_readme_runs_on_the_board(deploy: Path, made: Made) -> None:
    text = (deploy / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    program = (
        "import numpy as np\ncounts = np.load('example_input.npy')\n"
        f"{code}    found = accelerator.lifetimes(counts)\n"
        "np.savez('answer.npz', components=components, tau_m_ns=found.tau_m_ns)\n"
    )
    (deploy / "example.py").write_text(program)
    done = on_board(deploy, "example.py")
    assert done.returncode == 0, done.stderr
    answer = np.load(deploy / "answer.npz")
    codes = np.load(deploy / "expected_output.npy")
    expected = made.network.output_format.dequantise(codes).astype(np.float32)
    assert np.array_equal(answer["components"], expected)
    assert answer["tau_m_ns"].shape == (PIXELS,)


def test_readme_speaks_of_this_very_build(deploy: Path) -> None:
    text = (deploy / "README.md").read_text()
    meta = AcceleratorMetadata.read(deploy)
    for fact in (
        meta.build_id,
        meta.model_sha256,
        "test_build",
        "ZCU104",
        "| irf_fwhm_ns | 0.25 |",
        "`bitfile/top.bit`",
    ):
        assert fact in text
    assert "{{" not in text and "no bitfile" not in text


def test_readme_without_bitfile_leads_to_the_simulation(made: Made, tmp_path: Path) -> None:
    deploy = assemble_deployment(tmp_path, SPEC, made.network, made.module, made.counts)
    text = (deploy / "README.md").read_text()
    assert "**no bitfile**" in text and "--device sim" in text and ".bit`" not in text


def test_expected_output_is_the_oracles(deploy: Path, made: Made) -> None:
    counts = np.load(deploy / "example_input.npy")
    codes = made.network.input_format.quantise(normalise(counts))[:, :, np.newaxis]
    expected = np.load(deploy / "expected_output.npy")
    assert expected.dtype == np.int8
    assert np.array_equal(expected, made.network.run(codes))
    assert np.array_equal(counts, made.counts)


def test_package_needs_nothing_but_numpy_and_python_310(deploy: Path) -> None:
    allowed = {"numpy", "pynq", PACKAGE, *sys.stdlib_module_names}
    files = [*(deploy / PACKAGE).rglob("*.py"), deploy / "validate.py"]
    assert len(files) > 15
    for path in files:
        tree = ast.parse(path.read_text(), feature_version=(3, 10))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert imported <= allowed, path.name
        assert not imported & {"tomllib"}, path.name
        text = path.read_text()
        assert "StrEnum" not in text and "typing import Self" not in text, path.name


def test_driver_is_copied_but_for_the_package_name(deploy: Path) -> None:
    project = Path(finn_flirnn.__file__).parent
    for path in (deploy / PACKAGE).glob("*/*.py"):
        source = project / path.relative_to(deploy / PACKAGE)
        if source.parent.name == "driver" or source.name != "__init__.py":
            assert (
                path.read_text()
                .replace(f"import {PACKAGE}", "import finn_flirnn")
                .replace(f"from {PACKAGE}", "from finn_flirnn")
                == source.read_text()
            ), path.name


def test_equal_builds_give_equal_bytes(made: Made, tmp_path: Path) -> None:
    archives = []
    for name in ("first", "second"):
        moved = tmp_path / name / "rtl"
        moved.mkdir(parents=True)
        shutil.copy(made.module.sources[0], moved)
        module = replace(made.module, directory=moved, sources=(moved / "top.sv",))
        assemble_deployment(tmp_path / name, SPEC, made.network, module, made.counts, made.bitfile)
        archives.append((tmp_path / name / "deploy.zip").read_bytes())
    assert archives[0] == archives[1]


def test_package_tells_what_it_was_built_from(made: Made, tmp_path: Path) -> None:
    manifest = Manifest({"lanes": 4}, "12", "a model", "34", {"verilator": "5"}, {"accuracy": 2}, commit="ab")
    manifest.put(StepRecord("rtl", "done", seconds=3.0))
    deploy = assemble_deployment(
        tmp_path, SPEC, made.network, made.module, made.counts, origin=manifest.origin()
    )
    found = json.loads((deploy / "manifest.json").read_text())
    assert (found["config"], found["tools"], found["commit"]) == ({"lanes": 4}, {"verilator": "5"}, "ab")
    assert "steps" not in found and "seconds" not in (deploy / "manifest.json").read_text()
    assert "manifest.json" in AcceleratorMetadata.read(deploy).files
    assert "`manifest.json`" in (deploy / "README.md").read_text()


def test_readme_tells_how_to_validate_and_names_the_licence(deploy: Path) -> None:
    text = (deploy / "README.md").read_text()
    for words in ("python3 validate.py --device pynq", "finn-flirnn validate --deploy .", "`LICENSE`"):
        assert words in text


def test_archive_holds_the_whole_package(deploy: Path) -> None:
    with zipfile.ZipFile(deploy.parent / "deploy.zip") as archive:
        names = archive.namelist()
        assert names == sorted(names)
        content = {name: archive.read(name) for name in names}
    files = {
        f"deploy/{path.relative_to(deploy).as_posix()}": path.read_bytes()
        for path in deploy.rglob("*")
        if path.is_file()
    }
    assert content == files
    assert {"deploy/LICENSE", "deploy/requirements.txt", "deploy/bitfile/top.hwh"} <= set(content)


def test_second_assembly_leaves_nothing_of_the_first(made: Made, tmp_path: Path) -> None:
    deploy = assemble_deployment(tmp_path, SPEC, made.network, made.module, made.counts, made.bitfile)
    assemble_deployment(tmp_path, SPEC, made.network, made.module, made.counts)
    assert not (deploy / "bitfile").exists()


def test_build_identifier_follows_function_and_interface_not_the_place(made: Made, tmp_path: Path) -> None:
    identifier = build_identifier(made.module)
    assert len(identifier) == 16 and int(identifier, 16) >= 0
    moved = tmp_path / "top.sv"
    shutil.copy(made.module.sources[0], moved)
    assert build_identifier(replace(made.module, sources=(moved,), directory=tmp_path)) == identifier
    moved.write_text("module top; wire w; endmodule\n")
    others = {
        build_identifier(replace(made.module, sources=(moved,))),
        build_identifier(replace(made.module, top="other")),
        build_identifier(replace(made.module, inputs=made.module.outputs)),
    }
    assert len(others | {identifier}) == 4


def test_network_that_does_not_fit_the_module_is_refused(made: Made, tmp_path: Path) -> None:
    wrong = replace(made.module, outputs=made.module.inputs)
    with pytest.raises(ValueError, match="must have one output stream"):
        assemble_deployment(tmp_path, SPEC, made.network, wrong, made.counts)


def test_example_decays_of_another_length_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \(pixels, 40\)"):
        assemble_deployment(tmp_path, SPEC, made.network, made.module, made.counts[:, 1:])


def test_outputs_without_names_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="must name 3 outputs"):
        assemble_deployment(
            tmp_path, replace(SPEC, output_names=("full",)), made.network, made.module, made.counts
        )


def test_bitfile_without_its_handoff_is_refused(made: Made, tmp_path: Path) -> None:
    alone = tmp_path / "alone.bit"
    alone.write_bytes(b"bits")
    with pytest.raises(FileNotFoundError, match=r"alone\.hwh must exist"):
        assemble_deployment(tmp_path / "out", SPEC, made.network, made.module, made.counts, alone)
