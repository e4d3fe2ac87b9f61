// SPDX-License-Identifier: Apache-2.0
// The tuning file where the system fails or is interrupted: a call that fails costs the line, never the file.
//
//   A program of its own: it replaces read, write, fstat, flock and rename by ones that fail when told.
#undef _FORTIFY_SOURCE  // its read is an inline function, which nobody replaces
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/plan/tuning_file.h"

namespace {

// The n-th call from now on, and `more` after it, answers with the error; 0: none does.
struct Fault {
  int at = 0, error = 0, more = 0;
  size_t most = SIZE_MAX;  // bytes that one call takes

  bool now() {
    if (at == 0 || --at > 0) return false;
    at = more-- > 0 ? 1 : 0;
    errno = error;
    return true;
  }
};
Fault read_fault, write_fault, fstat_fault, flock_fault, rename_fault;

}  // namespace

extern "C" {

ssize_t read(int fd, void* buffer, size_t bytes) {
  if (read_fault.now()) return read_fault.error == 0 ? 0 : -1;
  return syscall(SYS_read, fd, buffer, std::min(bytes, read_fault.most));
}

ssize_t write(int fd, const void* buffer, size_t bytes) {
  if (write_fault.now()) return write_fault.error == 0 ? 0 : -1;
  return syscall(SYS_write, fd, buffer, std::min(bytes, write_fault.most));
}

int fstat(int fd, struct stat* facts) noexcept {
  if (fstat_fault.now()) return -1;
  return fstatat(fd, "", facts, AT_EMPTY_PATH);
}

int flock(int fd, int operation) noexcept {
  if (flock_fault.now()) return -1;
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}

int rename(const char* from, const char* to) noexcept {
  if (rename_fault.now()) return -1;
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

}  // extern "C"

namespace {

using namespace ctconv;

const std::string kKey = "v\tm\tf\tx\t1\tp";

class File {
 public:
  explicit File(const std::string& name = "tuning.tsv")
      : folder_(std::filesystem::temp_directory_path() / ("ctconv_system_test_" + std::to_string(getpid()))),
        path_(folder_ / name) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    read_fault = write_fault = fstat_fault = flock_fault = rename_fault = {};
  }
  ~File() { std::filesystem::remove_all(folder_); }
  std::string path() const { return path_.string(); }
  std::string text() const {
    std::ifstream in(path_);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  bool only_own() const {  // the file and its lock, nothing half written beside them
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path() != path_ && entry.path() != path_.string() + ".lock") return false;
    }
    return true;
  }

 private:
  std::filesystem::path folder_, path_;
};

const std::string kFirst = std::string(kTuningVersion) + "\n" + kKey + "\ta=1\n";

// A file that holds one line; then `fails` is told, and another value is not kept.
void not_kept(void (*fails)()) {
  File file;
  REQUIRE(keep_tuning(file.path(), kKey, "a=1"));
  fails();
  CHECK_FALSE(keep_tuning(file.path(), kKey, "a=2"));
  CHECK(file.text() == kFirst);
  CHECK(file.only_own());
  CHECK(keep_tuning(file.path(), kKey, "a=2"));
}

}  // namespace

TEST_CASE("system: an interrupted or a short call is made again", "[plan][tuning]") {
  File file;
  write_fault.most = flock_fault.most = 1;
  write_fault.at = 3;
  write_fault.error = EINTR;
  flock_fault.at = 1;
  flock_fault.error = EINTR;
  REQUIRE(keep_tuning(file.path(), kKey, "a=1"));
  CHECK(file.text() == kFirst);
  read_fault.most = 3;
  read_fault.at = 4;
  read_fault.error = EINTR;
  CHECK(recall_tuning(file.path(), kKey) == "a=1");
  CHECK(read_fault.at == 0);
}

TEST_CASE("system: a lock that another holds is waited for, a bounded time", "[plan][tuning]") {
  File file;
  flock_fault = {.at = 1, .error = EWOULDBLOCK, .more = 3};
  CHECK(keep_tuning(file.path(), kKey, "a=1"));
  CHECK(flock_fault.at == 0);
  flock_fault = {.at = 1, .error = EWOULDBLOCK, .more = 1 << 20};  // five seconds
  CHECK_FALSE(keep_tuning(file.path(), kKey, "a=2"));
  CHECK(file.text() == kFirst);
}

TEST_CASE("system: a call that fails costs the line, never the file", "[plan][tuning]") {
  not_kept([] { flock_fault = {.at = 1, .error = ENOLCK}; });
  not_kept([] { fstat_fault = {.at = 1, .error = EIO}; });
  not_kept([] { fstat_fault = {.at = 2, .error = EIO}; });  // behind the lock
  not_kept([] { write_fault = {.at = 1, .error = ENOSPC}; });
  not_kept([] { write_fault = {.at = 1}; });  // nothing written, without an error
  not_kept([] { rename_fault = {.at = 1, .error = EXDEV}; });
}

TEST_CASE("system: what can be read of a file counts, in whole lines", "[plan][tuning]") {
  File file;
  REQUIRE(keep_tuning(file.path(), "w\tm\tf\tx\t1\tp", "b=1"));
  REQUIRE(keep_tuning(file.path(), kKey, "a=1"));
  for (const int error : {EIO, 0}) {
    read_fault = {.at = 2, .error = error, .most = std::string(kTuningVersion).size() + 20};
    CHECK(recall_tuning(file.path(), "w\tm\tf\tx\t1\tp") == "b=1");
    read_fault.at = 2;
    CHECK(recall_tuning(file.path(), kKey) == std::nullopt);
  }
  fstat_fault = {.at = 1, .error = EIO};
  CHECK(recall_tuning(file.path(), kKey) == std::nullopt);
}

TEST_CASE("system: names and lines that are too long", "[plan][tuning]") {
  File named(std::string(250, 'n'));  // room for ".lock", not for a name of the process beside it
  CHECK_FALSE(keep_tuning(named.path(), kKey, "a=1"));
  CHECK(named.only_own());
  File lockless(std::string(252, 'n'));
  CHECK_FALSE(keep_tuning(lockless.path(), kKey, "a=1"));
  File file;
  CHECK_FALSE(keep_tuning(file.path(), kKey, std::string(9000, '1')));
  CHECK(file.text().empty());
  CHECK_FALSE(keep_tuning("", kKey, "a=1"));
}
