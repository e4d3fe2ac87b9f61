// SPDX-License-Identifier: Apache-2.0
// A mutator that knows what a number in a text is.
//
//   in:  a fuzzer's bytes;   out: every other time the same with one run of digits replaced by a number at an edge of
//   int32, int64 or a power of two, by a neighbour of itself, or removed; else what libFuzzer would have done
//   Linked to the targets that read texts. Where bytes choose (bytes.h) the edges are among the choices.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/hostile.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

// Where each number stands, its sign included.
std::vector<std::pair<size_t, size_t>> numbers_in(const std::string& text) {
  std::vector<std::pair<size_t, size_t>> found;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!digit(text[at])) continue;
    const size_t begin = at > 0 && text[at - 1] == '-' ? at - 1 : at;
    while (at < text.size() && digit(text[at])) ++at;
    found.emplace_back(begin, at);
  }
  return found;
}

std::string another(const std::string& number, std::mt19937& rng) {
  const uint32_t how = rng() % 8;
  if (how == 0) return "";
  if (how == 1) return number + number;
  if (how == 2 && number.size() < 18) return std::to_string(std::stoll(number) + 1);
  if (how == 3 && number.size() < 18) return std::to_string(std::stoll(number) - 1);
  if (how == 4) return std::to_string(rng() % 9);
  return std::to_string(hostile::kExtremes[rng() % std::size(hostile::kExtremes)]);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned int seed) {
  std::mt19937 rng(seed);
  std::string text(reinterpret_cast<const char*>(data), size);
  const auto numbers = numbers_in(text);
  if (numbers.empty() || rng() % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  const auto [begin, end] = numbers[rng() % numbers.size()];
  text.replace(begin, end - begin, another(text.substr(begin, end - begin), rng));
  const size_t kept = std::min(text.size(), most);
  std::memcpy(data, text.data(), kept);
  return kept;
}
