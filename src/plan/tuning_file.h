// SPDX-License-Identifier: Apache-2.0
// The tuning file on disk: one line a key, shared by any number of processes.
//
//   in:  a path; a key of kTuningFields fields joined by TAB, and a value without one
//   out: the value under a key, the last line of a key counts
//   First line: kTuningVersion. Then <key> TAB <value>.
//   Keeping a line rewrites the file beside itself and renames it, under a lock on <path>.lock: readers see the old
//   file or the new one, and of several writers none is lost. Lines that cannot be read, and older lines of the same
//   key, are left out then; beyond kTuningLines or kTuningBytes the oldest go.
//   Refuses, with a log line: a path that is no plain file (also a symbolic link), a file above kTuningReadBytes, and
//   to write over a file that does not begin as a tuning file. Nothing of this is an error of the caller.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace ctconv {

inline constexpr const char* kTuningVersion = "ctconv-tuning 2";
inline constexpr size_t kTuningFields = 6;
inline constexpr size_t kTuningLines = 4096;
inline constexpr size_t kTuningBytes = 1 << 20;
inline constexpr size_t kTuningReadBytes = 4 << 20;

std::optional<std::string> recall_tuning(const std::string& path, const std::string& key);

// False: not kept.
bool keep_tuning(const std::string& path, const std::string& key, const std::string& value);

}  // namespace ctconv
