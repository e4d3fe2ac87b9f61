// SPDX-License-Identifier: Apache-2.0
// One record of any claimed size and its tail, and the status it must have.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   The record has exactly the bytes its struct_size claims: under AddressSanitizer a byte read or written beyond them
//   ends the program. One of a size that is refused has nothing but its struct_size.
//   The property: sizes from the first release's to 64 KiB are read, others are MISUSE_STRUCT_SIZE. A tail that is not
//   zero is MISUSE_UNKNOWN_FIELD, but that of an error, which is left alone. A tail of zeros changes no answer.
#pragma once

#include "tests/fuzz/hostile.h"

namespace hostile {

struct RecordCounts {
  int64_t read = 0, wrong_size = 0, garbage = 0;
};

// *said: the record, for the report.
std::string one_record(Source& source, std::string* said, RecordCounts* counts);

}  // namespace hostile
