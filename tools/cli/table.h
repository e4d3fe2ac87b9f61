// SPDX-License-Identifier: Apache-2.0
// A plain table: a header, rows, columns padded to their widest cell. Numbers to the right, words to the left.
#pragma once

#include <string>
#include <vector>

namespace cli {

class Table {
 public:
  // A column whose name begins with '>' is aligned to the right.
  explicit Table(std::vector<std::string> columns);
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

// "0.412 ms", "1.7 s"; "55.4"; "1.2e-07"; "3.1 MiB"
std::string show_time(double seconds);
std::string show_flop(double flop);  // "55.1 MF"
std::string show_rate(double flop, double seconds);
std::string show_error(double value);
std::string show_bytes(double bytes);

}  // namespace cli
