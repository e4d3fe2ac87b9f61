// SPDX-License-Identifier: Apache-2.0
// The one ordered table of CPU engines: fastest first, the reference last (it refuses nothing).
#pragma once

#include <span>
#include <string_view>

#include "src/plan/engine.h"

namespace ctconv {

std::span<const Engine* const> cpu_engines();
const Engine* reference_engine();

// Of the library and of the engines that are libraries of their own: "ctconv 0.1.0, onednn 3.7.2, ...".
const std::string& engine_versions();

// The device's engine: its module is looked for on first use, so every build names it.
inline constexpr const char* kDeviceEngine = "cuda";

// The engines of this build: the table's in its order, then the device's.
std::span<const char* const> engine_names();

// True for an engine of ours that this build leaves out.
bool engine_left_out(std::string_view name);

}  // namespace ctconv
