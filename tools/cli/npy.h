// SPDX-License-Identifier: Apache-2.0
// .npy files (format versions 1, 2 and 3), our own small reader and writer.
//
//   in:      little-endian float16, float32 or float64; C or Fortran order (then the array is a strided view); from a
//            file, a FIFO or standard input (-), read from front to end. What follows the array is not looked at
//   out:     version 1.0, C order; bfloat16, which .npy does not know, is widened to float32 (exact)
//   refuses: (Fault FILE, NPY_FORMAT) other element types, a header that is not the three documented keys, more than 8
//            axes, sizes that overflow or exceed the machine's memory, a file shorter than its header promises (of a
//            regular file found before any memory is taken), an .npz archive
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/cli/array.h"
#include "tools/cli/input.h"
#include "tools/cli/output_file.h"

namespace cli {

// What stands before the elements; `in` then stands at the first of them.
struct NpyHead {
  ctconv::Dtype type;
  std::vector<int64_t> shape;
  bool fortran = false;
  size_t bytes = 0;  // of the elements
};
NpyHead read_npy_head(Input& in);
std::string npy_head(ctconv::Dtype type, const std::vector<int64_t>& shape);

Array read_npy(const std::string& path);
void write_npy(OutputFile& file, const Array& array);

}  // namespace cli
