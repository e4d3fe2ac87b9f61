// SPDX-License-Identifier: Apache-2.0
// Cutting text for people without cutting a character in two.
//
//   cut_utf8:   in: UTF-8 text and a number of bytes;   out: its longest beginning that fits and ends at a character
//   whole_utf8: in: a text that somebody may have cut;  out: the same without a part of a character at its end
//   copy_text:  in: text, memory and its size;          out: that beginning in the memory, ended in NUL
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace ctconv {

constexpr std::string_view cut_utf8(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0u) == 0x80u) --most;
  return text.substr(0, most);
}

constexpr std::string_view whole_utf8(std::string_view text) {
  size_t begin = text.size();  // of the last character
  while (begin > 0 && (static_cast<unsigned char>(text[begin - 1]) & 0xC0u) == 0x80u) --begin;
  if (begin == 0) return text;
  const auto lead = static_cast<unsigned char>(text[--begin]);
  const size_t bytes = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return text.size() - begin < bytes ? text.substr(0, begin) : text;
}

// Nothing is written where cap is 0.
inline void copy_text(std::string_view text, char* out, size_t cap) {
  if (cap == 0) return;
  const std::string_view kept = cut_utf8(text, cap - 1);
  if (!kept.empty()) std::memcpy(out, kept.data(), kept.size());
  out[kept.size()] = '\0';
}

}  // namespace ctconv
