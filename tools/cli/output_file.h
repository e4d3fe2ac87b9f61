// SPDX-License-Identifier: Apache-2.0
// A file that is written whole or not at all.
//
//   in:  the path of -o. "-", or a path that is standard output's own file (/dev/stdout): standard output
//   out: a regular file: written beside its place under a name of its own, then renamed over it. Its permissions stay;
//        a link stays a link, and what it points to is replaced. A new file gets what the umask leaves.
//        Anything else (FIFO, /dev/null, /dev/fd/N): written through.
//   on a failed write, Ctrl-C, SIGTERM, SIGHUP: the old file is as it was, and nothing is left beside it
//   refuses (Fault FILE): a folder, a file without write permission, a folder that takes no new file; a terminal
//   (OPTION)
//   not promised: further hard links (they keep the old contents), SIGKILL and loss of power (no fsync)
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace cli {

class OutputFile {
 public:
  // Refuses what would fail later, so that nothing is computed for it. Nothing is opened yet.
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& name() const { return name_; }  // for messages: the path, or "standard output"
  bool is_standard_output() const { return way_ == kStandardOutput; }
  bool is_replaced() const { return way_ == kReplace; }  // a regular file, or none yet
  const std::string& target() const { return target_; }  // where it then stands, links followed
  void open();
  void write(const void* data, size_t bytes);
  void commit();
  // Instead of the three: a file written elsewhere on the same disk takes the place, with the old one's permissions.
  void replace_by(int descriptor, const std::string& path);

 private:
  enum Way { kReplace, kThrough, kStandardOutput };
  [[noreturn]] void fail(int error) const;
  void open_beside();
  bool keep_permissions(int descriptor) const;
  Way way_ = kReplace;
  std::string name_, target_, beside_;  // target_: the place to rename to, links followed
  mode_t mode_ = 0666;                  // of the old file where there is one
  uid_t owner_ = 0;
  gid_t group_ = 0;
  bool exists_ = false;
  std::FILE* stream_ = nullptr;
};

}  // namespace cli
