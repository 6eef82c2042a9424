# SPDX-License-Identifier: BSD-3-Clause
"""The compression study: a grid of quantised models, trained, judged and put into tables."""
