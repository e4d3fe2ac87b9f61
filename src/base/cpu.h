// SPDX-License-Identifier: Apache-2.0
// What the processor is and offers, as words: for build_info and as parts of the tuning file's key.
#pragma once

#include <string>

namespace ctconv {

std::string cpu_features();  // "avx2 fma avx512f …", "neon", or "none"

// "AMD EPYC 9R14, family 25 model 17 stepping 1"; AArch64: the main id register; else "unknown". No control characters.
std::string cpu_model();

}  // namespace ctconv
