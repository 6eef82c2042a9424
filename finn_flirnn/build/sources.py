# SPDX-License-Identifier: BSD-3-Clause
"""Where a build's model comes from: a checkpoint of this project, or a QONNX file."""


class ModelInput: ...
