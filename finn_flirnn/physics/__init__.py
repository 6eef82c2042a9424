# SPDX-License-Identifier: BSD-3-Clause
"""Fluorescence decays: instruments, simulation, classical fits, lifetimes, real images.

gates, irf, response    the time axis, the instrument response, photons in a gate (exact)
presets, decays, prior  simulated instruments, seeded decays with their truth, the guess without data
preprocess, lifetimes   the network's input from counts; lifetimes from the network's output
fit, irf_estimate       Poisson maximum-likelihood reconvolution fit; the IRF of an image without one
metrics, benchmark      errors; speed and accuracy (python -m finn_flirnn.physics.benchmark)
instruments, image      PTU and SDT files; binning, resampling onto a model's gates, phasor
sample_data             real images that pip can fetch (python -m finn_flirnn.physics.sample_data)
"""
