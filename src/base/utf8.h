// Cutting text for people without cutting a character in two.
//
//   in:  UTF-8 text and a number of bytes;   out: its longest beginning that fits and ends at a character
#pragma once

#include <cstddef>
#include <string_view>

namespace ctconv {

constexpr std::string_view cut_utf8(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0u) == 0x80u) --most;
  return text.substr(0, most);
}

}  // namespace ctconv
