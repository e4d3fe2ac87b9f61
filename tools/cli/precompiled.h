// SPDX-License-Identifier: Apache-2.0
// What every file of the command line reads first, parsed once; fmt's formatting is compiled in format_once.cpp alone.
//   in: the three header-only packages   out: a precompiled header, put before each file by tools/CMakeLists.txt
//   No file relies on it: each includes what it uses.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

// The signature is fmt's own and changes with its major version: elsewhere every file compiles its copy, as usual.
#define CTCONV_FMT_ONCE (FMT_VERSION >= 80000 && FMT_VERSION < 100000)
#if CTCONV_FMT_ONCE
extern template void fmt::detail::vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                                   basic_format_args<FMT_BUFFER_CONTEXT(type_identity_t<char>)>,
                                                   locale_ref);
#endif
