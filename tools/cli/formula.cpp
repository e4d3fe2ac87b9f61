// SPDX-License-Identifier: Apache-2.0
// Words of the problem line: letters, then whole numbers joined by 'x'.
#include "tools/cli/formula.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "tools/cli/fault.h"

namespace cli {

Numbers numbers_of(const std::string& problem) {
  Numbers out;
  std::istringstream in(problem);
  for (std::string word; in >> word;) {
    const size_t digits = word.find_first_of("-0123456789");
    if (digits == std::string::npos || digits == 0) continue;
    const std::string key = word.substr(0, digits);
    std::vector<int64_t> values;
    std::istringstream parts(word.substr(digits));
    for (std::string part; std::getline(parts, part, 'x');) {
      int64_t value = 0;
      std::from_chars(part.data(), part.data() + part.size(), value);
      values.push_back(value);
    }
    if (key == "n")
      out.n = values[0];
    else if (key == "g")
      out.groups = values[0];
    else if (key == "ci")
      out.ci = values[0];
    else if (key == "co")
      out.co = values[0];
    else if (key == "i")
      out.i = values;
    else if (key == "k")
      out.k = values;
    else if (key == "s")
      out.s = values;
    else if (key == "d")
      out.d = values;
    else if (key == "lo")
      out.lo = values;
    else if (key == "o")
      out.o = values;
    else if (key == "tail")
      out.tail = values;
  }
  if (out.tail.empty()) out.tail.assign(out.i.size(), 0);
  for (const auto* axis : {&out.i, &out.k, &out.s, &out.d, &out.lo, &out.o, &out.tail})
    if (axis->empty() || axis->size() != out.i.size())
      throw Fault("INTERNAL", "cannot read the problem '" + problem + "'");
  return out;
}

namespace {

// " + 1 - lo - hi + tail zero": what follows the two products.
std::string rest(int64_t lo, int64_t hi, int64_t tail) {
  const auto crop = [](int64_t rows) { return rows < 0 ? fmt::format(" + {}", -rows) : fmt::format(" - {}", rows); };
  return " + 1" + crop(lo) + crop(hi) + (tail ? fmt::format(" + {} zero", tail) : "");
}

}  // namespace

std::string Numbers::formula(size_t a) const {
  return fmt::format("{} = ({} - 1)*{} + {}*({} - 1)", o[a] + tail[a], i[a], s[a], d[a], k[a]) +
         rest(lo[a], hi(a), tail[a]);
}

std::string Numbers::short_formula(size_t a) const {
  return fmt::format("{} = {}*{} + {}*{}", o[a] + tail[a], i[a] - 1, s[a], d[a], k[a] - 1) +
         rest(lo[a], hi(a), tail[a]);
}

std::string axis_name(size_t rank, size_t axis) { return std::string(1, "dhw"[3 - rank + axis]); }

}  // namespace cli
