// SPDX-License-Identifier: Apache-2.0
// Text cut at a character: every size of memory, characters of one to four bytes, nothing written beyond.
#include "src/base/utf8.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace ctconv;

TEST_CASE("utf8: a copy ends at a character and in NUL, for every size") {
  const std::string text = "a\u00e9\u2026\U0001f600z";  // 1 + 2 + 3 + 4 + 1 bytes
  const size_t ends[] = {0, 1, 3, 6, 10, 11};           // where characters end
  REQUIRE(text.size() == 11);
  for (size_t cap = 0; cap <= text.size() + 3; ++cap) {
    std::string memory(text.size() + 8, '?');
    copy_text(text, memory.data(), cap);
    size_t kept = 0;
    for (size_t end : ends) kept = end + 1 <= cap ? end : kept;
    INFO("cap " << cap);
    if (cap > 0) {
      CHECK(memory.substr(0, kept) == text.substr(0, kept));
      CHECK(memory[kept] == '\0');
    }
    CHECK(memory.substr(cap) == std::string(memory.size() - cap, '?'));
  }
}

TEST_CASE("utf8: an empty text, and bytes that are no UTF-8, are cut somewhere within") {
  char one[1] = {'?'};
  copy_text("", one, 1);
  CHECK(one[0] == '\0');
  const std::string broken(20, '\x80');
  std::string memory(10, '?');
  copy_text(broken, memory.data(), 8);
  CHECK(memory.find('\0') < 8);
  CHECK(memory.substr(8) == "??");
}
