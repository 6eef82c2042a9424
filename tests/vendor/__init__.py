# SPDX-License-Identifier: BSD-3-Clause
"""A strict stand-in for Vivado, Vitis HLS and v++: it checks scripts and synthesises nothing.

The Tcl runs in a real Tcl interpreter. The vendor's commands are recorded and act on a model of project,
IP catalogue and block design that knows the ports of the RTL. Whatever the model does not know is an
error. Every file that it leaves in place of a vendor's starts with LABEL.
"""

LABEL = "STAND-IN: a check of scripts made this file, it is no output of a vendor's tool"
