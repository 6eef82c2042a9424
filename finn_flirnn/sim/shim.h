// SPDX-License-Identifier: BSD-3-Clause
// Included ahead of everything in every compilation: what the Verilated model and its runtime print
// is collected, so that a failing assertion reaches the caller as text.
#pragma once
#ifdef __cplusplus
extern "C" int flirnn_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
#endif
