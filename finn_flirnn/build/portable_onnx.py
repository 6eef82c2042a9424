# SPDX-License-Identifier: BSD-3-Clause
"""ONNX files of FINN without the folders in which FINN made them, so that equal builds give equal files."""

from __future__ import annotations

from pathlib import Path

import onnx

SUBMODEL = "model"
"""Attribute in which a partition's node names the file of its graph."""


def copy_portable(source: Path, target: Path, folder: Path, submodel: str) -> None:
    """Copy a model; attributes and properties that point into ``folder`` are left out.

    submodel: name, beside the copy, of the file that a partition's node shall point to.
    """
    model = onnx.load(str(source))
    inside = str(folder).encode()
    for node in model.graph.node:
        pointing = [a for a in node.attribute if inside in a.s or any(inside in s for s in a.strings)]
        for attribute in pointing:
            if attribute.name == SUBMODEL:
                attribute.s = submodel.encode()
            else:
                node.attribute.remove(attribute)
    for entry in [e for e in model.metadata_props if str(folder) in e.value]:
        model.metadata_props.remove(entry)
    onnx.save(model, str(target))
