// SPDX-License-Identifier: Apache-2.0
// Reading and rewriting the tuning file; see tuning_file.h.
#include "src/plan/tuning_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <thread>
#include <vector>

#include "src/base/log.h"

namespace ctconv {
namespace {

constexpr size_t kMostLine = 8192;
constexpr auto kLockWait = std::chrono::seconds(5);  // whoever holds the lock needs milliseconds
constexpr std::string_view kAnyVersion = "ctconv-tuning";

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool refuse_file(const char* why) {
  log_line("tuning", why);
  return false;
}

// False: not a file to read; *text is empty where there is none yet.
bool read_file(const std::string& path, std::string* text) {
  text->clear();
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);  // no wait for the other end of a pipe
  if (!file.ok() && errno == ENOENT) return true;
  if (!file.ok()) return refuse_file("could not open the tuning file");
  struct stat facts;
  if (fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return refuse_file("the tuning file is no plain file");
  if (static_cast<size_t>(facts.st_size) > kTuningReadBytes) return refuse_file("the tuning file is too large");
  text->resize(static_cast<size_t>(facts.st_size));
  size_t got = 0;
  while (got < text->size()) {
    const ssize_t n = read(file.get(), text->data() + got, text->size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  text->resize(got);
  return true;
}

// Its readable lines, oldest first.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  bool first = true;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (first && line != kTuningVersion) {
      log_line("tuning", "the tuning file is not of this release");
      return {};
    }
    if (first || line.empty()) {
      first = false;
      continue;
    }
    const bool plain = std::none_of(line.begin(), line.end(), [](char c) { return c != '\t' && (c >= 0 && c < ' '); });
    const auto tabs = static_cast<size_t>(std::count(line.begin(), line.end(), '\t'));
    if (plain && line.size() <= kMostLine && tabs == kTuningFields && end < text.size()) {
      lines.push_back(line);
    } else {
      log_line("tuning", "ignored a broken line of the tuning file");
    }
  }
  return lines;
}

std::string_view key_of(std::string_view line) { return line.substr(0, line.rfind('\t')); }

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool replace_file(const std::string& path, std::string_view text) {
  static std::atomic<unsigned> counter{0};
  const std::string number = std::to_string(getpid()) + "." + std::to_string(counter.fetch_add(1));
  const std::string beside = path + "." + number + ".new";
  bool written = false;
  {
    const Descriptor file(beside, O_WRONLY | O_CREAT | O_EXCL);
    if (!file.ok()) return refuse_file("could not write beside the tuning file");
    written = write_all(file.get(), text);
  }
  if (written && std::rename(beside.c_str(), path.c_str()) == 0) return true;
  unlink(beside.c_str());
  return refuse_file("could not write the tuning file");
}

// Waits a bounded time: nobody may make a plan wait for ever.
bool lock_file(int fd) {
  const auto end = std::chrono::steady_clock::now() + kLockWait;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace

std::optional<std::string> recall_tuning(const std::string& path, const std::string& key) {
  std::string text;
  if (!read_file(path, &text)) return std::nullopt;
  const std::vector<std::string_view> lines = lines_of(text);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (key_of(*line) == key) return std::string(line->substr(key.size() + 1));
  }
  return std::nullopt;
}

bool keep_tuning(const std::string& path, const std::string& key, const std::string& value) {
  const std::string line = key + '\t' + value;
  if (line.size() > kMostLine) return refuse_file("a line is too long to be kept");
  std::string old;
  if (path.empty() || !read_file(path, &old)) return false;  // before anything is created beside it
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const Descriptor lock(path + ".lock", O_RDWR | O_CREAT);
  if (!lock.ok() || !lock_file(lock.get())) return refuse_file("could not lock the tuning file");
  if (!read_file(path, &old)) return false;
  if (!old.empty() && old.compare(0, kAnyVersion.size(), kAnyVersion) != 0) {
    return refuse_file("did not write over a file that is no tuning file");
  }
  std::vector<std::string_view> lines = lines_of(old);
  std::erase_if(lines, [&](std::string_view l) { return key_of(l) == key; });
  // From the newest back, as many as fit.
  size_t bytes = line.size() + 1, from = lines.size();
  while (from > 0 && lines.size() - from + 1 < kTuningLines && bytes + lines[from - 1].size() + 1 <= kTuningBytes) {
    bytes += lines[--from].size() + 1;
  }
  std::string text = std::string(kTuningVersion) + '\n';
  for (size_t n = from; n < lines.size(); ++n) text.append(lines[n]).push_back('\n');
  return replace_file(path, text + line + '\n');
}

}  // namespace ctconv
