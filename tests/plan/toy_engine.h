// SPDX-License-Identifier: Apache-2.0
// An engine of the tests; see toy_engine.cpp.
#pragma once

#include "src/plan/engine.h"

namespace ctconv::test {

extern const Engine kToyEngine;

}  // namespace ctconv::test
