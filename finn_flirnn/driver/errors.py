# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong between the driver and an accelerator, each by its own name.

Wrong arguments (shape, NaN, negative counts) are ValueError and TypeError as usual.
"""

from __future__ import annotations


class AcceleratorError(RuntimeError):
    """Anything that the accelerator or its files, not the caller's data, did wrong."""


class DeploymentError(AcceleratorError):
    """A file of the deployment package is missing, corrupt or does not fit the others."""


class WrongBuildError(AcceleratorError):
    """The hardware or its bitfile belongs to another build than accelerator.json."""


class DeviceError(AcceleratorError):
    """The device did not take or give the data that it should have."""


class DeviceTimeoutError(DeviceError):
    """The device did not finish in time."""


class ClosedError(AcceleratorError):
    """The accelerator has been closed."""
