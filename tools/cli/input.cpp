// SPDX-License-Identifier: Apache-2.0
// Standard input is duplicated, so that a stream can be closed without closing descriptor 0.
#include "tools/cli/input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "tools/cli/fault.h"

namespace cli {
namespace {

constexpr size_t kMostText = size_t{64} << 20;

std::FILE* open_standard_input() {
  static bool taken = false;
  if (taken) throw Fault("OPTION", "standard input (-) is named twice; it can be read once");
  taken = true;
  const int copy = dup(STDIN_FILENO);
  if (copy < 0) return nullptr;
  return fdopen(copy, "rb");
}

}  // namespace

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }

Input::Input(const std::string& path) : name_(input_name(path)) {
  stream_.reset(path == "-" ? open_standard_input() : std::fopen(path.c_str(), "rb"));
  if (!stream_) throw Fault("FILE", name_ + ": cannot open: " + std::strerror(errno));
}

size_t Input::read(void* data, size_t bytes) {
  const size_t got = std::fread(data, 1, bytes, stream_.get());
  if (got < bytes && std::ferror(stream_.get())) throw Fault("FILE", name_ + ": cannot read: " + std::strerror(errno));
  return got;
}

std::optional<size_t> Input::rest() const {
  struct stat s;
  if (fstat(fileno(stream_.get()), &s) != 0 || !S_ISREG(s.st_mode) || s.st_size == 0) return std::nullopt;
  const off_t at = ftello(stream_.get());
  if (at < 0 || at > s.st_size) return std::nullopt;
  return static_cast<size_t>(s.st_size - at);
}

size_t Input::position() const {
  const off_t at = ftello(stream_.get());
  return at < 0 ? 0 : static_cast<size_t>(at);
}

bool Input::is_folder() const {
  struct stat s;
  return fstat(fileno(stream_.get()), &s) == 0 && S_ISDIR(s.st_mode);
}

std::string read_text(const std::string& path) {
  Input in(path);
  std::string text;
  char block[1 << 16];
  while (const size_t got = in.read(block, sizeof block)) {
    if (text.size() + got > kMostText) throw Fault("FILE", in.name() + ": longer than 64 MiB");
    text.append(block, got);
  }
  return text;
}

size_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t bytes;
  if (pages <= 0 || page <= 0 || __builtin_mul_overflow(static_cast<size_t>(pages), static_cast<size_t>(page), &bytes))
    return SIZE_MAX;
  return bytes;
}

}  // namespace cli
