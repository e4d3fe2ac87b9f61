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

#include <string>

#include "tools/cli/array.h"
#include "tools/cli/output_file.h"

namespace cli {

Array read_npy(const std::string& path);
void write_npy(OutputFile& file, const Array& array);

}  // namespace cli
