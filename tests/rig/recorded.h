// SPDX-License-Identifier: Apache-2.0
// Answers on record: lines that a test makes are those of a file below tests/data.
//
//   in:  the file's name, the lines
//   out: the first line that differs, as a failed check; with CTCONV_TEST_RECORD=1 the file is written instead, and
//        its difference is what a reviewer reads
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace ctconv::rig {

inline void are_on_record(const std::string& name, const std::vector<std::string>& lines) {
  const std::string file = std::string(CTCONV_TEST_DATA) + "/" + name;
  if (std::getenv("CTCONV_TEST_RECORD") != nullptr) {
    std::ofstream out(file, std::ios::binary);
    for (const std::string& line : lines) out << line << '\n';
  }
  std::ifstream in(file);
  INFO(name);
  REQUIRE(in);
  std::string recorded, section;
  size_t n = 0;
  for (; std::getline(in, recorded); ++n) {
    if (recorded.rfind("# ", 0) == 0) section = recorded;
    if (n < lines.size() && lines[n] == recorded) continue;
    INFO("line " << n + 1 << ", below " << section);
    REQUIRE(n < lines.size());
    REQUIRE(lines[n] == recorded);
  }
  CHECK(n == lines.size());
}

}  // namespace ctconv::rig
