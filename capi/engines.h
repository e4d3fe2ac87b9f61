// The one ordered table of CPU engines: fastest first, the reference last (it refuses nothing).
#pragma once

#include <span>

#include "src/plan/engine.h"

namespace ctconv {

std::span<const Engine* const> cpu_engines();

// Every engine name users may write, in the same order, with the GPU's at the end.
std::span<const char* const> engine_names();

}  // namespace ctconv
