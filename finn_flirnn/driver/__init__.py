# SPDX-License-Identifier: BSD-3-Clause
"""What runs on the board: plain Python 3.10 and numpy (pynq only where the device is a PYNQ board).

A build copies these files, and the few of ours that they import, into its deployment package, under the
name finn_flirnn_driver. So they import nothing of numerics and physics but modules that need numpy only,
and always from the module itself.
"""

from finn_flirnn.driver.accelerator import Accelerator
from finn_flirnn.driver.device import Device
from finn_flirnn.driver.errors import (
    AcceleratorError,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    WrongBuildError,
)
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.packing import Stream
from finn_flirnn.driver.registers import HardwareStatus
from finn_flirnn.driver.simulated_device import SimulatedDevice
from finn_flirnn.driver.uart_device import UartDevice

__all__ = [
    "Accelerator",
    "AcceleratorError",
    "AcceleratorMetadata",
    "ClosedError",
    "Device",
    "DeploymentError",
    "DeviceError",
    "DeviceTimeoutError",
    "HardwareStatus",
    "SimulatedDevice",
    "Stream",
    "UartDevice",
    "WrongBuildError",
]
