# SPDX-License-Identifier: BSD-3-Clause
"""The errors that only a build has; those of every command are ``finn_flirnn.common.errors``."""

from __future__ import annotations

from finn_flirnn.common.errors import BuildError

EXIT_INTERRUPTED = 130


class MismatchError(BuildError):
    """A comparison found differences; what the step wrote about them is published all the same."""


class StepSkipped(Exception):
    """Raised by a step that has nothing to do here; the text is the reason and the remedy."""
