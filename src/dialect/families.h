// SPDX-License-Identifier: Apache-2.0
// The one table of dialects, in the order users see: a line each. Their files define them, table.cpp lists them.
#pragma once

#include "src/dialect/dialect.h"

#define CTCONV_DIALECTS(DIALECT) \
  DIALECT(kMindsporeOps3d)       \
  DIALECT(kMindsporeNn1d)        \
  DIALECT(kMindsporeNn2d)        \
  DIALECT(kMindsporeNn3d)        \
  DIALECT(kMegengine2d)          \
  DIALECT(kMegengine3d)          \
  DIALECT(kPaddleNn1d)           \
  DIALECT(kPaddleNn2d)           \
  DIALECT(kPaddleNn3d)           \
  DIALECT(kPaddleFunctional1d)   \
  DIALECT(kPaddleFunctional2d)   \
  DIALECT(kPaddleFunctional3d)   \
  DIALECT(kPaddleStatic2d)       \
  DIALECT(kPaddleStatic3d)       \
  DIALECT(kTorch1d)              \
  DIALECT(kTorch2d)              \
  DIALECT(kTorch3d)              \
  DIALECT(kOnnx)                 \
  DIALECT(kKeras2d)              \
  DIALECT(kKeras3d)              \
  DIALECT(kCanonical)

namespace ctconv {

#define CTCONV_DECLARE(name) extern const Dialect name;
CTCONV_DIALECTS(CTCONV_DECLARE)
#undef CTCONV_DECLARE

}  // namespace ctconv
