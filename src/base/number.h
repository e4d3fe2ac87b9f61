// SPDX-License-Identifier: Apache-2.0
// Numbers as text and back, the same under every locale: the decimal point is '.', nothing is grouped.
//
//   in:  a double and the digits of printf's %g or %f;   out: what printf writes in the C locale
//   in:  a text that is one number and nothing else;     out: true and the number, or false and *out as it was
//   printf, strtod, std::to_string(double) and C++ streams ask the program's locale, which belongs to the program:
//   tests/style/check_locale.py keeps them out of the library.
//   Refuses: nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace ctconv {

// %.<digits>g
inline std::string show_general(double v, int digits) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, v, std::chars_format::general, digits).ptr);
}

// %.<decimals>f, at most 20 decimals
inline std::string show_fixed(double v, int decimals) {
  char text[352];  // 309 digits, a sign, a point and the decimals
  return std::string(text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, decimals).ptr);
}

// No space and no '+' in front, nothing behind; a number out of range is none.
template <class T>
bool read_number(std::string_view text, T* out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  *out = value;
  return true;
}

}  // namespace ctconv
