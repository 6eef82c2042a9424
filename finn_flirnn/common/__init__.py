# SPDX-License-Identifier: BSD-3-Clause
"""What every command uses and no command owns: whole files, strict JSON, errors with a remedy."""
