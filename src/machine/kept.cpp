// SPDX-License-Identifier: Apache-2.0
// See kept.h.
#include "src/machine/kept.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "src/base/cache_place.h"
#include "src/base/cores.h"
#include "src/base/cpu.h"

namespace ctconv {
namespace {

// At most kKeptBytes + 1 of it; the answer is why it could not be read.
std::string read_text(int fd, std::string* text) {
  struct stat facts;
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) return "it is no plain file";
  text->resize(kKeptBytes + 1);
  size_t got = 0;
  while (got < text->size()) {
    const ssize_t n = read(fd, text->data() + got, text->size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return "it could not be read";
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  text->resize(got);
  return got > kKeptBytes ? "it is longer than " + std::to_string(kKeptBytes) + " bytes" : "";
}

// Cuts the first line off.
std::string_view next_line(std::string_view* text) {
  const size_t end = std::min(text->find('\n'), text->size());
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return line;
}

// No control characters: what stands in a log line came from a file.
std::string shown(std::string_view line) {
  constexpr size_t kMost = 200;
  std::string text(line.substr(0, kMost));
  for (char& c : text) {
    if (c >= 0 && c < ' ') c = ' ';
  }
  return text;
}

}  // namespace

std::string kept_machine_path() { return cache_place("CTCONV_MACHINE_FILE", "machine.txt"); }

std::string kept_machine_cpu() { return "cpu " + cpu_model() + ", " + cpu_features(); }

bool read_kept_machine(const std::string& path, const std::string& cpu, Machine* out, std::string* fault) {
  fault->clear();
  if (path.empty()) return false;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // no wait for the other end of a pipe
  if (fd < 0) {
    if (errno != ENOENT && errno != ENOTDIR) *fault = path + ": it could not be opened";
    return false;
  }
  std::string text;
  *fault = read_text(fd, &text);
  close(fd);
  std::string_view rest = text;
  const std::string_view version = next_line(&rest), processor = next_line(&rest), record = next_line(&rest);
  Machine m;
  if (fault->empty() && version != kKeptVersion) *fault = "its first line is not " + std::string(kKeptVersion);
  if (fault->empty() && processor != cpu) *fault = "it is of another processor: " + shown(processor);
  if (fault->empty() && (record.empty() || !rest.empty())) *fault = "it has not three lines";
  if (fault->empty()) (void)machine_from_text(record, &m, fault);
  if (!fault->empty()) {
    *fault = path + ": " + shown(*fault);
    return false;
  }
  m.source = Machine::Source::kTuned;
  m.cores = allowed_cores();
  *out = clamped(m);
  return true;
}

}  // namespace ctconv
