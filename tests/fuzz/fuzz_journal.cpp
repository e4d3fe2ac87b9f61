// SPDX-License-Identifier: Apache-2.0
// Property: any bytes as the journal of a run by tiles are a run to go on with, one to begin, or a Fault with a
//           sentence that a terminal can show. What is noted then is read again, beside what was noted before.
// Bytes that begin with = are lines without their sums: each gets its own, so that what lies behind them is reached.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/fuzz/file_of_bytes.h"
#include "tools/cli/fault.h"
#include "tools/cli/tiles_journal.h"

namespace {

const cli::Extents kShape = {4, 300};
const nlohmann::json kIdentity = {{"program", "p"}, {"x", "(4, 300)"}, {"ahead", {0, 1}}};

std::string with_sums(std::string_view lines) {
  std::string out;
  uint32_t seed = 0;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string text(lines.substr(0, end));
    const std::string line = fmt::format("{} {:08x}", text, cli::crc32(text, seed));
    if (out.empty()) seed = cli::crc32(line);
    out += line;
    if (end < lines.size()) out += '\n';  // without it the last line is torn
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return out;
}

void judge(const cli::Fault& fault) {
  const std::string_view text = fault.what();
  if (text.size() <= 10) std::abort();
  if (std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == 127; })) std::abort();
}

// What a journal says.
struct Noted {
  cli::Extents tile;
  uint64_t part = 0;
  std::set<int64_t> done;
  explicit Noted(const cli::TileJournal& j) : tile(j.tile()), part(j.part()), done(j.done()) {}
  bool operator==(const Noted& other) const = default;
};

void check_tile(const cli::Extents& tile) {
  if (tile.size() != kShape.size()) std::abort();
  for (size_t a = 0; a < tile.size(); ++a) {
    if (tile[a] < 1 || tile[a] > kShape[a]) std::abort();
  }
}

// Reads, and notes one tile more; what the journal then says.
Noted go_on(const std::string& path, int64_t number) {
  cli::TileJournal journal(path, kIdentity);
  if (journal.read(kShape)) {
    check_tile(journal.tile());
    if (!journal.done().empty() && *journal.done().begin() < 0) std::abort();
  } else {
    journal.forget();
    journal.begin({2, 7}, 5);
  }
  journal.add(number);
  return Noted(journal);
}

Noted begin_anew(const std::string& path, int64_t number) {
  cli::TileJournal journal(path, kIdentity);
  journal.forget();
  journal.begin({1, 300}, UINT64_MAX);
  journal.add(number);
  return Noted(journal);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string file = bytes.substr(0, 1) == "=" ? with_sums(bytes.substr(1)) : std::string(bytes);
  const std::string path =
      hostile::file_of_bytes("y.npy.journal", reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const auto number = static_cast<int64_t>(size * 7 % 900);
  const Noted noted = [&] {
    try {
      return go_on(path, number);
    } catch (const cli::Fault& fault) {
      judge(fault);
      return begin_anew(path, number);
    }
  }();
  cli::TileJournal again(path, kIdentity);
  if (!again.read(kShape) || !(Noted(again) == noted)) std::abort();
  return 0;
}
