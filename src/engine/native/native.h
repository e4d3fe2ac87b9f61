// Our own CPU engine: the reference's bits at the machine's speed, through Highway with run-time dispatch.
//
//   in:  a Problem;   out: a Kernel of one of three forms (positions.h, channels.h, depthwise.h), the cheapest by
//   costs.h refuses: a CPU without fused multiply-add in vectors, scratch above the op's limit
#pragma once

#include "src/plan/engine.h"

namespace ctconv {

extern const Engine kNativeEngine;

}  // namespace ctconv
