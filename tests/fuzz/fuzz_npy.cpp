// SPDX-License-Identifier: Apache-2.0
// Property: the .npy readers of the command line answer an array or throw their Fault, for any bytes. What one reads
//           whole the other reads as boxes: the same type, extents and bytes.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/fuzz/file_of_bytes.h"
#include "tools/cli/fault.h"
#include "tools/cli/npy.h"
#include "tools/cli/tiles_file.h"

namespace {

// *refused: it is no .npy file. An array of no elements may still have extents that no memory can be laid out for.
std::optional<cli::Array> whole(const std::string& path, bool* refused) {
  try {
    return cli::read_npy(path);
  } catch (const cli::Fault& fault) {
    if (std::string(fault.what()).size() <= 10) std::abort();
    *refused = fault.name() != "ARRAY";
    return std::nullopt;
  }
}

// All of it, one index of the slowest axis at a time.
void read_boxes(const cli::TileFile& file, const cli::Array& array) {
  const cli::Extents& shape = file.shape();
  const size_t slowest = file.fortran() ? shape.size() - 1 : 0;
  cli::Span box{cli::Extents(shape.size(), 0), shape};
  box.count[slowest] = 1;
  const size_t bytes = static_cast<size_t>(box.elements()) * file.type().bytes();
  std::vector<char> row(bytes);
  const char* want = static_cast<const char*>(array.data());
  for (int64_t k = 0; k < std::min<int64_t>(shape[slowest], 64); ++k) {
    box.begin[slowest] = k;
    file.read(box, row.data());
    if (std::memcmp(row.data(), want + static_cast<size_t>(k) * bytes, bytes) != 0) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = hostile::file_of_bytes("x.npy", data, size);
  bool refused = false;
  const std::optional<cli::Array> array = whole(path, &refused);
  cli::TileFile file;
  try {
    file.open_input(path);
  } catch (const cli::Fault&) {
    if (array) std::abort();
    return 0;
  }
  if (refused) std::abort();
  if (!array) return 0;
  if (!(file.type() == array->dtype()) || file.shape() != array->shape()) std::abort();
  if (array->bytes() > 0 && !file.shape().empty()) read_boxes(file, *array);
  return 0;
}
