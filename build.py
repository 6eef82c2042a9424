# SPDX-License-Identifier: BSD-3-Clause
"""Build an accelerator: ``python build.py --config zcu104_8bit.json``; the same as ``finn-flirnn build``."""

import sys

from finn_flirnn.build.main import main

if __name__ == "__main__":
    sys.exit(main(["build", *sys.argv[1:]]))
