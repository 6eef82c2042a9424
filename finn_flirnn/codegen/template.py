# SPDX-License-Identifier: BSD-3-Clause
"""Strict text templates: every key must be used and every placeholder replaced."""

from __future__ import annotations

import string


def render(template: str, **values: object) -> str:
    """Replace ``$name`` placeholders. Raises KeyError for an unreplaced or an unused key."""
    parsed = string.Template(template)
    wanted = set(parsed.get_identifiers())
    if wanted != set(values):
        raise KeyError(
            f"template keys must match: not given {sorted(wanted - set(values))}, "
            f"not used {sorted(set(values) - wanted)}"
        )
    return parsed.substitute(values)
