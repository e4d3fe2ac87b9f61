// One random life of a descriptor and an op, extreme values included, and the property it must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   The property: every call answers CTCONV_OK or a known status whose error record is complete (kind, a message of
//   more
//   than 10 characters, strings that end, valid UTF-8); out-pointers are NULL after a failure; nothing beyond y is
//   written,
//   and nothing of y after kinds 1xxx to 4xxx and 7xxx. No crash, no hang, no sanitizer report.
#pragma once

#include <cstdint>
#include <string>

namespace hostile {

class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t below(uint64_t bound) = 0;  // 0 <= choice < bound
};

struct Counts {
  int64_t valid = 0, created = 0, planned = 0, executed = 0;
};

// *said: the steps so far, one a line, for the report.
std::string one_life(Source& source, std::string* said, Counts* counts);

}  // namespace hostile
