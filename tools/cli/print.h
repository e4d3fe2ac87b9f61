// SPDX-License-Identifier: Apache-2.0
// Where the text of an answer goes, and what happens when it cannot be written.
//
//   out: standard output; standard error once the array takes standard output (-o -)
//   refuses (Fault FILE): a full disk, a closed stream. A reader that is gone (| head) ends the program by SIGPIPE.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace cli {

// Descriptors 0 to 2 that came closed are taken, so that no file opened later becomes one of them.
void hold_standard_streams();
void text_to_standard_error();
void print_text(const std::string& text);
// What was printed has reached the system: call it before the exit code is decided.
void finish_text();

template <class... Arguments>
void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  print_text(fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace cli
