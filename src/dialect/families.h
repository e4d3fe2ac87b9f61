// The dialects, one line each; their files define them, src/dialect/table.cpp lists them in the order users see.
#pragma once

#include "src/dialect/dialect.h"

namespace ctconv {

extern const Dialect kCanonical;
extern const Dialect kMindsporeOps3d;
extern const Dialect kMindsporeNn1d, kMindsporeNn2d, kMindsporeNn3d;
extern const Dialect kMegengine2d, kMegengine3d;
extern const Dialect kPaddleNn1d, kPaddleNn2d, kPaddleNn3d;
extern const Dialect kPaddleFunctional1d, kPaddleFunctional2d, kPaddleFunctional3d;
extern const Dialect kPaddleStatic2d, kPaddleStatic3d;
extern const Dialect kTorch1d, kTorch2d, kTorch3d;
extern const Dialect kOnnx;
extern const Dialect kKeras2d, kKeras3d;

}  // namespace ctconv
