// SPDX-License-Identifier: Apache-2.0
// The record that `ctconv tune` keeps: read on first use, in place of measuring.
//
//   in:  a file of three lines: kKeptVersion; "cpu <model>, <features>"; the record as to_text writes it
//   out: the record, its cores those of this process; or why it is not used
//   The file is CTCONV_MACHINE_FILE (empty: none), else machine.txt in the cache folder (cache_place.h).
//   Refuses, with a reason: what is no plain file, more than kKeptBytes, another version, another processor, a broken
//   record. A file that is not there is no fault.
#pragma once

#include <cstddef>
#include <string>

#include "src/machine/machine.h"

namespace ctconv {

inline constexpr const char* kKeptVersion = "ctconv-machine 1";
inline constexpr size_t kKeptBytes = 4096;

std::string kept_machine_path();

// What the second line must be on this processor.
std::string kept_machine_cpu();

// False: not used; *fault says why, and is empty where there is no such file.
bool read_kept_machine(const std::string& path, const std::string& cpu, Machine* out, std::string* fault);

}  // namespace ctconv
