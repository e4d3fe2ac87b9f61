// SPDX-License-Identifier: Apache-2.0
// Which oneDNN this library was linked with, for build_info.
#pragma once

#include <string>

namespace ctconv {

std::string onednn_version();  // "3.7.2, runtime threadpool"

}  // namespace ctconv
