# SPDX-License-Identifier: BSD-3-Clause
"""The clocks of the processing system."""


class Clocks:
    """The one clock that the shell takes from it."""

    fclk0_mhz = 0.0
