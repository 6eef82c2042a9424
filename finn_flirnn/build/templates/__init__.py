# SPDX-License-Identifier: BSD-3-Clause
"""Text templates; a key that a template needs and does not get is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2


def render(template: str, html: bool = False, **values: Any) -> str:
    """Fill in a template of this folder. html: escape the values."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).resolve().parent),
        undefined=jinja2.StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
