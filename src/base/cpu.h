// What the processor offers, as words: for build_info and as part of the tuning file's key.
#pragma once

#include <string>

namespace ctconv {

std::string cpu_features();  // "avx2 fma avx512f …", "neon", or "none"

}  // namespace ctconv
