// SPDX-License-Identifier: Apache-2.0
// Lines are appended with one write each; a lock on the file keeps a second run away.
#include "tools/cli/tiles_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "tools/cli/fault.h"

namespace cli {
namespace {

constexpr const char* kAnew = "--fresh begins anew";
constexpr int kDeepest = 8;  // values in values; ours have three. Deeper ones are left out: to walk them takes stack

std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

std::string line_of(const std::string& text, uint32_t seed) {
  return fmt::format("{} {:08x}", text, crc32(text, seed));
}

// The text before a line's last blank, where its sum is right.
std::optional<std::string> text_in(const std::string& line, uint32_t seed) {
  const size_t blank = line.rfind(' ');
  if (blank == std::string::npos) return std::nullopt;
  const std::string text = line.substr(0, blank);
  return line == line_of(text, seed) ? std::optional(text) : std::nullopt;
}

constexpr size_t kShown = 60;   // characters of a value in a refusal
constexpr size_t kBefore = 12;  // of those, what stands before the first that differs

// In letters that every terminal shows and none obeys.
std::string plain(const nlohmann::json& value) { return value.dump(-1, ' ', true); }

// A key of ours is a word; any other stands in quotes.
std::string name_of(const std::string& key, const nlohmann::json& ours) {
  return ours.contains(key) ? key : plain(key);
}

std::string text_of(const nlohmann::json& object, const std::string& key) {
  return object.contains(key) ? plain(object.at(key)) : "nothing";
}

// A long text from shortly before `at` on.
std::string cut(const std::string& text, size_t at) {
  if (text.size() <= kShown) return text;
  const size_t from = std::min(at > kBefore ? at - kBefore : 0, text.size() - kShown);
  return (from > 0 ? "..." : "") + text.substr(from, kShown) + (from + kShown < text.size() ? "..." : "");
}

// Both values, so that what differs is seen.
std::string told(const std::string& name, const std::string& was, const std::string& is) {
  const auto same =
      static_cast<size_t>(std::mismatch(was.begin(), was.end(), is.begin(), is.end()).first - was.begin());
  return name + " was " + cut(was, same) + ", is " + cut(is, same);
}

// A tile of y, as a first line names it.
bool is_tile(const nlohmann::json& grid, const Extents& y_shape) {
  if (!grid.is_array() || grid.size() != y_shape.size()) return false;
  for (size_t a = 0; a < y_shape.size(); ++a) {
    if (!grid[a].is_number_integer() || grid[a].get<int64_t>() < 1 || grid[a].get<int64_t>() > y_shape[a]) return false;
  }
  return true;
}

}  // namespace

uint32_t crc32(const std::string& text, uint32_t seed) {
  static const std::array<uint32_t, 256> table = crc_table();
  uint32_t c = ~seed;
  for (const char letter : text) c = table[(c ^ static_cast<unsigned char>(letter)) & 255] ^ (c >> 8);
  return ~c;
}

TileJournal::TileJournal(std::string path, nlohmann::json identity)
    : path_(std::move(path)), identity_(std::move(identity)) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw Fault("FILE", path_ + ": the journal cannot be opened: " + std::strerror(errno));
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw Fault("JOURNAL", path_ + " is held by another process: the same output is being computed there");
  }
  struct stat s;
  if (fstat(descriptor_, &s) == 0 && s.st_nlink > 0) return;
  ::close(descriptor_);
  throw Fault("JOURNAL", path_ + " was finished by another process just now; call again");
}

TileJournal::~TileJournal() { ::close(descriptor_); }

std::string TileJournal::text() const {
  std::string text;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t got = pread(descriptor_, block.data(), block.size(), static_cast<off_t>(text.size()));
    if (got < 0) throw Fault("FILE", path_ + ": cannot read: " + std::strerror(errno));
    if (got == 0) return text;
    text.append(block.data(), static_cast<size_t>(got));
  }
}

void TileJournal::open_head(const std::string& line, const Extents& y_shape) {
  const std::optional<std::string> told = text_in(line, 0);
  const auto shallow = [](int depth, auto, const auto&) { return depth <= kDeepest; };
  const nlohmann::json head = told ? nlohmann::json::parse(*told, shallow, false) : nlohmann::json();
  const bool whole = head.is_object() && head.contains("of") && head.at("of").is_object() && head.contains("grid") &&
                     head.contains("part") && head.at("part").is_number_unsigned();
  if (whole) compare(head.at("of"));
  if (!whole || !is_tile(head.at("grid"), y_shape))
    throw Fault("JOURNAL", path_ + " is damaged in its first line, and what it is of is not known; " + kAnew);
  tile_ = head.at("grid").get<Extents>();
  part_ = head.at("part").get<uint64_t>();
  seed_ = crc32(line);
}

bool TileJournal::read(const Extents& y_shape) {
  const std::string all = text();
  size_t end = all.find('\n');
  if (end == std::string::npos) return false;  // killed before the first line was whole
  open_head(all.substr(0, end), y_shape);
  while (end != std::string::npos) {
    const size_t next = all.find('\n', end + 1);
    const std::string line = all.substr(end + 1, next == std::string::npos ? next : next - end - 1);
    if (!line.empty() && !take(line)) ++damaged_;
    end = next;
  }
  if (all.back() != '\n') append("\n");
  return true;
}

bool TileJournal::take(const std::string& line) {
  const std::optional<std::string> text = text_in(line, seed_);
  if (!text || text->empty() || text->find_first_not_of("0123456789") != std::string::npos || text->size() > 18)
    return false;
  done_.insert(std::stoll(*text));
  return true;
}

void TileJournal::compare(const nlohmann::json& old) const {
  std::string all;
  nlohmann::json both = old;
  both.update(identity_);
  for (const auto& [key, value] : both.items()) {
    const bool same = old.contains(key) && identity_.contains(key) && old.at(key) == identity_.at(key);
    if (!same) {
      all += (all.empty() ? "" : "; ") + told(name_of(key, identity_), text_of(old, key), text_of(identity_, key));
    }
  }
  if (all.empty()) return;
  throw Fault("JOURNAL", path_ + " is of another run: " + all + ". Call as before, or " + kAnew);
}

void TileJournal::keep_below(int64_t count) { done_.erase(done_.lower_bound(count), done_.end()); }

void TileJournal::forget() {
  done_.clear();
  damaged_ = 0;
  if (ftruncate(descriptor_, 0) != 0 || fsync(descriptor_) != 0)
    throw Fault("FILE", path_ + ": the journal cannot be written: " + std::strerror(errno));
}

void TileJournal::begin(const Extents& tile, uint64_t part) {
  tile_ = tile;
  part_ = part;
  const std::string line = line_of(nlohmann::json{{"of", identity_}, {"grid", tile}, {"part", part}}.dump(), 0);
  seed_ = crc32(line);
  append(line + "\n");
}

void TileJournal::add(int64_t number) {
  append(line_of(std::to_string(number), seed_) + "\n");
  done_.insert(number);
}

void TileJournal::append(const std::string& line) {
  const ssize_t done = ::write(descriptor_, line.data(), line.size());
  const int error = done < 0 ? errno : ENOSPC;
  if (done != static_cast<ssize_t>(line.size()))
    throw Fault("FILE", path_ + ": the journal cannot be written: " + std::strerror(error));
}

void TileJournal::remove() { unlink(path_.c_str()); }

void TileJournal::remove_empty() {
  if (lseek(descriptor_, 0, SEEK_END) == 0) remove();
}

}  // namespace cli
