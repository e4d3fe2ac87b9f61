// SPDX-License-Identifier: Apache-2.0
// What the command line reads: a file, standard input (-), a FIFO, or the /dev/fd/N of a shell's <(..).
//
//   in:  a path, or - (once in a command: it cannot be read twice)
//   out: a stream, read from front to end and never wound back
//   refuses (Fault FILE, OPTION): what cannot be opened or read, a text above 64 MiB, a second -
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace cli {

class Input {
 public:
  explicit Input(const std::string& path);
  const std::string& name() const { return name_; }  // for messages: the path, or "standard input"

  // How many of `bytes` came: fewer only at the end. Fault FILE where reading fails.
  size_t read(void* data, size_t bytes);
  // Bytes still to come, where the system knows it before they are read: of a regular file that is not empty.
  std::optional<size_t> rest() const;
  // Bytes read so far, of a file.
  size_t position() const;
  bool is_folder() const;

 private:
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::string name_;
  std::unique_ptr<std::FILE, Close> stream_;
};

// A whole text.
std::string read_text(const std::string& path);
std::string input_name(const std::string& path);  // "-" is "standard input"

// Bytes of memory this machine has: no array can be larger, whatever a stream's header promises.
size_t machine_memory();

}  // namespace cli
