// SPDX-License-Identifier: Apache-2.0
// Every write is checked: a lost answer is a failure, not a success.
#include "tools/cli/print.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/cli/fault.h"

namespace cli {
namespace {

bool on_standard_error = false;

std::FILE* stream() { return on_standard_error ? stderr : stdout; }

[[noreturn]] void cannot_write(int error) {
  throw Fault("FILE", std::string(on_standard_error ? "standard error" : "standard output") +
                          ": cannot write: " + std::strerror(error));
}

}  // namespace

void hold_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. Read only: a write to it fails, as to a closed one.
    if (open("/dev/null", O_RDONLY) < 0) return;
  }
}

void text_to_standard_error() { on_standard_error = true; }

void print_text(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stream()) != text.size()) cannot_write(errno);
}

void finish_text() {
  if (std::fflush(stream()) != 0) cannot_write(errno);
  if (std::ferror(stream())) cannot_write(EIO);
}

}  // namespace cli
