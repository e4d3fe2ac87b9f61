// SPDX-License-Identifier: Apache-2.0
// Which instruction sets our vector code is built for: those with a fused multiply-add on vectors.
//
//   AVX-512 (F, BW, CD, DQ, VL), AVX2 with FMA3, NEON. The variants that add nothing our kernels use are left out to
//   halve the build; so are the ones whose vectors have no size known to the compiler. The oldest x86 target stays as
//   an empty fallback because Highway needs a baseline: its tables are null and engines refuse.
#pragma once

#define HWY_DISABLED_TARGETS                                                                              \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_AVX3_ZEN4 | HWY_AVX3_SPR | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | \
   HWY_SVE2_128 | HWY_NEON_BF16)

// Vectors of sums one block may keep: 24 of 32 registers, 12 of 16. Of the instruction set being compiled.
#define CTCONV_ACCUMULATORS (HWY_MAX_BYTES >= 64 || HWY_ARCH_ARM_A64 ? 24 : 12)
