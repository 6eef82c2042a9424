# SPDX-License-Identifier: BSD-3-Clause
"""model/network.npz: the integer network of a build, readable without torch, ONNX or FINN."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from finn_flirnn.common.errors import BuildError
from finn_flirnn.numerics import DenseLayer, Format, GruFormats, GruLayer, Reset, Seq2SeqNetwork
from finn_flirnn.numerics.seq2seq import layer_name

FILE_NAME = "network.npz"
VERSION = 1
GRU_ARRAYS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gate_table", "candidate_table")
GRU_FORMATS = ("weight_hh", "state", "gate", "candidate", "preactivation", "input", "weight_ih")
EPOCH = (1980, 1, 1, 0, 0, 0)


def save_network(path: Path, network: Seq2SeqNetwork, info: dict[str, Any] | None = None) -> None:
    """Write a network, with what else there is to know of it (JSON values). Equal input, equal bytes."""
    head: dict[str, Any] = {"version": VERSION, "steps": network.steps, "info": info or {}}
    arrays: dict[str, Any] = {}
    for name, layer in network.recurrent.items():
        head[name] = {
            "formats": {key: _format_out(getattr(layer.formats, key)) for key in GRU_FORMATS},
            "reset": layer.reset.value,
            "sequence": layer.sequence,
            "initial_state": layer.initial_state,
        }
        arrays |= {f"{name}.{key}": getattr(layer, key) for key in GRU_ARRAYS}
    dense = network.head
    formats = ("input_format", "weight_format", "output_format")
    head["head"] = {key: _format_out(getattr(dense, key)) for key in formats}
    arrays |= {"head.weight": dense.weight, "head.bias": dense.bias}
    arrays["json"] = np.frombuffer(json.dumps(head, sort_keys=True).encode(), dtype=np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            if array is not None:
                # a date of its own would make equal builds differ
                with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w") as member:
                    np.lib.format.write_array(member, array)


def load_network(path: Path) -> tuple[Seq2SeqNetwork, dict[str, Any]]:
    """Read a network and its further information. Raises BuildError if the file is none."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
        head = json.loads(arrays["json"].tobytes())
        if head["version"] != VERSION:
            raise ValueError(f"it has version {head['version']}, this project reads {VERSION}")
        dense = {key: Format(**value) for key, value in head["head"].items()}
        network = Seq2SeqNetwork(
            head["steps"],
            *_stacks(head, arrays),
            DenseLayer(weight=arrays["head.weight"], bias=arrays["head.bias"], **dense),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise BuildError(f"{path} must be the network of a build, but: {error}; build it again") from error
    return network, head["info"]


def _stacks(head: dict[str, Any], arrays: dict[str, Any]) -> tuple[list[GruLayer], list[GruLayer]]:
    """Encoders and decoders."""
    names = [[layer_name(side, index) for index in range(len(head))] for side in ("encoder", "decoder")]
    encoders, decoders = ([_gru(head[n], arrays, n) for n in side if n in head] for side in names)
    return encoders, decoders


def _gru(head: dict[str, Any], arrays: dict[str, Any], name: str) -> GruLayer:
    given: dict[str, Any] = {key: arrays.get(f"{name}.{key}") for key in GRU_ARRAYS}
    formats = {key: value and Format(**value) for key, value in head["formats"].items()}
    return GruLayer(
        formats=GruFormats(**formats),
        reset=Reset(head["reset"]),
        sequence=head["sequence"],
        initial_state=head["initial_state"],
        **given,
    )


def _format_out(value: Format | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)
