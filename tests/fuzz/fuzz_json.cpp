// SPDX-License-Identifier: Apache-2.0
// Property: the JSON of the command line is arguments, one value, a file of layers or a Fault with a sentence, for any
//           bytes; what was read can be shown. Texts that name files are left out: what they read is fuzz_npy's.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tests/fuzz/file_of_bytes.h"
#include "tools/cli/fault.h"
#include "tools/cli/json_args.h"
#include "tools/cli/layers_file.h"

namespace {

void judge(const cli::Fault& fault) {
  if (std::string(fault.what()).size() <= 5) std::abort();
}

// The arguments a layer is asked with are arguments.
void read_layers(const uint8_t* data, size_t size) {
  cli::Request base;
  base.layers = hostile::file_of_bytes("layers.json", data, size);
  for (const cli::NamedRequest& layer : cli::read_layers(base)) {
    if (cli::parse_arguments(layer.request.arguments).items.size() != 10) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("npy") != std::string::npos || text.find("\\u") != std::string::npos) return 0;
  if (!text.empty() && text[0] == '@') return 0;
  try {
    for (const auto& [name, value] : cli::parse_arguments(text).items) {
      if (cli::text_of(value).empty()) std::abort();
    }
  } catch (const cli::Fault& fault) {
    judge(fault);
  }
  try {
    cli::Arguments arrays;
    if (cli::text_of(cli::parse_value(text, &arrays)).empty()) std::abort();
  } catch (const cli::Fault& fault) {
    judge(fault);
  }
  try {
    read_layers(data, size);
  } catch (const cli::Fault& fault) {
    judge(fault);
  }
  return 0;
}
