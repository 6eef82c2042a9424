# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints: float weights in an .npz beside a .json manifest with everything else.

The manifest's "model" holds the arguments of ``Seq2SeqLite``; "formats", "training", "metrics" and
"versions" are for people and reports. Neither file can run code when it is read.
"""

from __future__ import annotations

import json
import platform
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import finn_flirnn
from finn_flirnn.common.files import sha256_of, sha256_of_value, write_atomically
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.numerics import Format

FOLDER = Path(__file__).with_name("checkpoints")
MANIFEST_VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or not one of ours."""


def shipped_checkpoints() -> list[str]:
    """Names of the checkpoints that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def checkpoint_path(name_or_path: str | Path) -> Path:
    """The .npz of a shipped name or of a path (with or without suffix). Raises CheckpointError."""
    given = Path(name_or_path)
    for path in (given, given.with_name(given.name + ".npz"), FOLDER / f"{given}.npz"):
        if path.suffix == ".npz" and path.is_file():
            return path
    raise CheckpointError(
        f"there is no checkpoint {str(name_or_path)!r}; give a path to an .npz file or one of: "
        f"{', '.join(shipped_checkpoints()) or 'none shipped'}"
    )


def load_manifest(name_or_path: str | Path) -> dict[str, Any]:
    """The manifest of a checkpoint. Raises CheckpointError."""
    path = checkpoint_path(name_or_path).with_suffix(".json")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; a checkpoint is an .npz and a .json of one name") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}; train or fetch the checkpoint again") from error
    if not isinstance(manifest, dict) or manifest.get("version") != MANIFEST_VERSION:
        raise CheckpointError(f"{path} must be a manifest of version {MANIFEST_VERSION}")
    if not isinstance(manifest.get("model"), dict):
        raise CheckpointError(f'{path} must hold "model", the arguments of Seq2SeqLite')
    return manifest


def load_checkpoint(name_or_path: str | Path) -> Seq2SeqLite:
    """The model of a checkpoint, in eval mode. name_or_path: a shipped name or FILE.npz.

    Raises CheckpointError if a file is missing or damaged or the two do not belong together.
    """
    path = checkpoint_path(name_or_path)
    manifest = load_manifest(path)
    try:
        model = Seq2SeqLite(**manifest["model"])
        # opened here, since numpy leaves a damaged file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            model.load_float_weights({name: arrays[name] for name in arrays.files})
    except (TypeError, ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} with its manifest is no Seq2SeqLite: {error}") from error
    return model.eval()


def content_of(name_or_path: str | Path) -> str:
    """Hash of what a checkpoint computes: of its weights and its model's arguments, not of its name."""
    path = checkpoint_path(name_or_path)
    return sha256_of_value([sha256_of(path), load_manifest(path)["model"]])


def save_checkpoint(model: Seq2SeqLite, path: str | Path, facts: Mapping[str, Any]) -> Path:
    """Write PATH.npz and PATH.json, each whole or not at all; returns the .npz.

    facts: added to the manifest, for example "training" and "metrics"; must be JSON.
    """
    target = Path(path).with_suffix(".npz")
    manifest = {
        "version": MANIFEST_VERSION,
        "model": model.config,
        "formats": describe_formats(model),
        "versions": versions(),
        **facts,
    }
    text = json.dumps(manifest, indent=2) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target.with_suffix(".json"), text.encode())
    with tempfile.TemporaryFile() as scratch:
        np.savez(scratch, **model.float_weights())
        scratch.seek(0)
        write_atomically(target, scratch.read())
    return target


def describe_formats(model: Seq2SeqLite) -> dict[str, dict[str, dict[str, int | bool]]]:
    """Every format in force: layer -> value -> bits, frac, signed, narrow."""
    network = model.to_network()

    def named(formats: Mapping[str, Format | None]) -> dict[str, dict[str, int | bool]]:
        return {name: asdict(fmt) for name, fmt in formats.items() if fmt is not None}

    return {
        **{name: named(vars(layer.formats)) for name, layer in network.recurrent.items()},
        "head": named({"weight": network.head.weight_format, "output": network.head.output_format}),
    }


def versions() -> dict[str, str]:
    """Versions of what a training depends on."""
    packages = ("torch", "brevitas", "numpy")
    return {
        "finn_flirnn": finn_flirnn.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
