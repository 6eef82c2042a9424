# SPDX-License-Identifier: BSD-3-Clause
"""Settings for all tests."""

import os

# Two test processes with a thread a core each wait for one another: ten times slower. Set before numpy
# and torch are imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
