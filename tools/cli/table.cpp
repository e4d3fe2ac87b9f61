// SPDX-License-Identifier: Apache-2.0
// Tables and the few number formats of the command line.
#include "tools/cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {

Table::Table(std::vector<std::string> columns) {
  for (auto& name : columns) {
    right_.push_back(!name.empty() && name[0] == '>');
    if (right_.back()) name.erase(0, 1);
  }
  rows_.push_back(std::move(columns));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(right_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> width(right_.size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += right_[i] ? fmt::format("{:>{}}", row[i], width[i]) : fmt::format("{:<{}}", row[i], width[i]);
      if (i + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string show_time(double s) {
  if (s < 1e-3) return fmt::format("{:.1f} us", s * 1e6);
  if (s < 1) return fmt::format("{:.3g} ms", s * 1e3);
  return fmt::format("{:.2f} s", s);
}

std::string show_flop(double flop) {
  return flop < 1e9 ? fmt::format("{:.3g} MF", flop * 1e-6) : fmt::format("{:.4g} GF", flop * 1e-9);
}

std::string show_rate(double flop, double seconds) {
  return seconds > 0 ? fmt::format("{:.1f}", flop / seconds * 1e-9) : "-";
}

std::string show_error(double value) { return value == 0 ? "0" : fmt::format("{:.1e}", value); }

std::string show_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int u = 0;
  for (; bytes >= 1024 && u < 4; ++u) bytes /= 1024;
  return u == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[u]);
}

}  // namespace cli
