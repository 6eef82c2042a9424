# SPDX-License-Identifier: BSD-3-Clause
"""FINN's ``finn.xsi`` without Vivado."""

from __future__ import annotations


def install() -> None:
    """Make ``finn.xsi`` importable; must come before ``finn.builder.build_dataflow`` is imported."""
    import finn.xsi

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("RTL simulation through finn.xsi is not available yet")

    for name in finn.xsi._LAZY_NAMES:
        setattr(finn.xsi, name, refuse)
