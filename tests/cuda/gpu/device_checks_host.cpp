// SPDX-License-Identifier: Apache-2.0
// device_checks.cu as C++: the rehearsal's kernels are loops.
#include "tests/cuda/gpu/device_checks.cu"
