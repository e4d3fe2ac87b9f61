// SPDX-License-Identifier: Apache-2.0
// What every command prints with: JSON fragments of shapes and errors, engine names, refusals.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctconv/ctconv.hpp"
#include "tools/cli/array.h"
#include "tools/cli/layer.h"

namespace cli {

using Json = nlohmann::ordered_json;

std::vector<std::string> engine_names();
std::string kind_name(int32_t kind);  // "ValueError", "unsupported", ...

Json json_of(const ctconv::error& e);
Json json_of(const ctconv_spec& spec);  // {"shape": [..], "dtype": "float32"}
Json json_of(const Facts& facts);       // counts, bytes and milliseconds as numbers, the rest as text
void print_json(const Json& json);

std::string message_of(const ctconv::error& e);
// 'dialect "ConvTranspose3d" is unknown; did you mean ...?' where some name resembles it, else "".
std::string similar_dialects(const std::string& name);
// "'in_channels'" where an argument of the dialect is spelt nearly so, else "".
std::string similar_arguments(const std::string& dialect, const std::string& name);

// True where an engine of engine_names() says no to a layer or is not for this device: an answer, not a fault.
bool is_refusal(const ctconv::error& e);
// Why, in one line.
std::string reason_of(const ctconv::error& e);

}  // namespace cli
