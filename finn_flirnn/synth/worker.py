# SPDX-License-Identifier: BSD-3-Clause
"""Child process of ``yosys.run_yosys``: runs Yosys commands.

Argument: the limit of its address space in bytes. Standard input: the commands, a JSON list of lists of
words; as words, so that a path may hold anything. Kept apart because Yosys ends the process on an error
and may take any amount of memory.
"""

from __future__ import annotations

import json
import resource
import sys

from pyosys import libyosys


def main() -> None:
    """Run the commands."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    design = libyosys.Design()
    for words in json.load(sys.stdin):
        libyosys.Pass.call(design, words)


if __name__ == "__main__":
    main()
