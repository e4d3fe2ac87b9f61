// The dialects, one line each; their files define them, src/dialect/table.cpp lists them in the order users see.
#pragma once

#include "src/dialect/dialect.h"

namespace ctconv {

extern const Dialect kCanonical;
extern const Dialect kTorch1d, kTorch2d, kTorch3d;

}  // namespace ctconv
