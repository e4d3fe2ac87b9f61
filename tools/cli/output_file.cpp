// SPDX-License-Identifier: Apache-2.0
// rename() is what makes it whole or nothing; a signal handler removes what a caught signal would leave behind.
#include "tools/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "tools/cli/fault.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

// The file that a signal's handler removes. One at a time.
char pending_path[PATH_MAX];
std::atomic<bool> pending{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void remove_pending(int signal_number) {
  if (pending) unlink(pending_path);
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void remember(const std::string& path) {
  std::memcpy(pending_path, path.c_str(), path.size() + 1);
  pending = true;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    struct sigaction old;
    if (sigaction(number, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) continue;  // nohup's SIG_IGN stays
    struct sigaction now {};
    now.sa_handler = remove_pending;
    sigemptyset(&now.sa_mask);
    sigaction(number, &now, nullptr);
  }
}

// Follows links to the last one's target, which need not exist. "": through /proc, that is an open descriptor.
std::string place_of(fs::path path) {
  for (int step = 0; step < 40; ++step) {
    std::error_code failed;
    fs::path parent = path.parent_path();
    if (parent.empty()) parent = ".";
    if (!fs::is_symlink(fs::symlink_status(path, failed))) return path;
    const fs::path real = fs::canonical(parent, failed);
    if (real.native().rfind("/proc/", 0) == 0) return "";
    const fs::path target = fs::read_symlink(path, failed);
    path = target.is_absolute() ? target : parent / target;
  }
  throw Fault("FILE", path.native() + ": cannot write: " + std::strerror(ELOOP));
}

bool is_standard_output_file(const struct stat& s) {
  struct stat out;
  if (fstat(STDOUT_FILENO, &out) != 0) return false;
  if (s.st_dev != out.st_dev || s.st_ino != out.st_ino) return false;
  return !S_ISCHR(s.st_mode) || isatty(STDOUT_FILENO);  // /dev/null may be named for both
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

}  // namespace

OutputFile::OutputFile(std::string path) : name_(std::move(path)) {
  struct stat s;
  const bool there = name_ != "-" && stat(name_.c_str(), &s) == 0;
  if (name_ == "-" || (there && is_standard_output_file(s))) {
    if (isatty(STDOUT_FILENO)) throw Fault("OPTION", name_ + ": standard output is a terminal; redirect it");
    name_ = "standard output";
    way_ = kStandardOutput;
    return;
  }
  if (there && S_ISDIR(s.st_mode)) fail(EISDIR);
  if (there && access(name_.c_str(), W_OK) != 0) fail(errno);
  target_ = place_of(name_);
  if (target_.empty() || (there && !S_ISREG(s.st_mode))) {
    way_ = kThrough;
    return;
  }
  exists_ = there;
  if (there) {
    mode_ = s.st_mode & 07777;
    owner_ = s.st_uid;
    group_ = s.st_gid;
  }
  const std::string folder = folder_of(target_);
  if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) return;
  if (!there) fail(errno);
  throw Fault("FILE", name_ + ": its folder takes no new file (" + std::strerror(errno) +
                          "), so it cannot be replaced as a whole; write -o - > " + name_);
}

OutputFile::~OutputFile() {
  if (stream_ != nullptr) std::fclose(stream_);
  if (beside_.empty()) return;
  unlink(beside_.c_str());
  pending = false;
}

void OutputFile::fail(int error) const { throw Fault("FILE", name_ + ": cannot write: " + std::strerror(error)); }

// Another owner's file stays theirs where we may say so; where not, it is ours, as after any rename.
bool OutputFile::keep_permissions(int descriptor) const {
  if (!exists_) return true;
  const bool kept = fchown(descriptor, owner_, group_) == 0;
  return fchmod(descriptor, kept ? mode_ : mode_ & 0777) == 0;
}

void OutputFile::open_beside() {
  int descriptor = -1;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string path =
        folder_of(target_) + ".ctconv-" + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".tmp";
    if (path.size() >= sizeof pending_path) fail(ENAMETOOLONG);
    remember(path);
    descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_ & 0777);
    if (descriptor >= 0) {
      beside_ = path;
      break;
    }
    const int error = errno;
    pending = false;
    if (error != EEXIST) fail(error);
  }
  if (descriptor < 0) fail(EEXIST);
  if (!keep_permissions(descriptor)) {
    const int error = errno;
    ::close(descriptor);
    fail(error);
  }
  stream_ = fdopen(descriptor, "wb");
}

void OutputFile::open() {
  if (way_ == kReplace) {
    open_beside();
  } else if (way_ == kStandardOutput) {
    std::fflush(stdout);
    const int copy = dup(STDOUT_FILENO);
    stream_ = copy < 0 ? nullptr : fdopen(copy, "wb");
  } else {
    stream_ = std::fopen(name_.c_str(), "wb");
  }
  if (stream_ == nullptr) fail(errno);
}

void OutputFile::write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, stream_) != bytes) fail(errno);
}

void OutputFile::replace_by(int descriptor, const std::string& path) {
  if (!keep_permissions(descriptor) || std::rename(path.c_str(), target_.c_str()) != 0) fail(errno);
}

void OutputFile::commit() {
  std::FILE* stream = stream_;
  stream_ = nullptr;
  if (std::fclose(stream) != 0) fail(errno);
  if (way_ != kReplace) return;
  if (std::rename(beside_.c_str(), target_.c_str()) != 0) fail(errno);
  beside_.clear();
  pending = false;
}

}  // namespace cli
