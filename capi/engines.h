// The one ordered table of CPU engines: fastest first, the reference last (it refuses nothing).
#pragma once

#include <span>

#include "src/plan/engine.h"

namespace ctconv {

std::span<const Engine* const> cpu_engines();
const Engine* reference_engine();

// Of the library and of the engines that are libraries of their own: "ctconv 0.1.0, onednn 3.7.2, ...".
const std::string& engine_versions();

// Every engine name users may write, in the same order, with the GPU's at the end.
std::span<const char* const> engine_names();

}  // namespace ctconv
