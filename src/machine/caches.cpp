// SPDX-License-Identifier: Apache-2.0
// Sizes of the data caches; see probe.h.
//
//   in:  <root>/sys/devices/system/cpu/cpu0/cache/index<n>/{level,type,size,coherency_line_size}, sizes as "48K";
//        what these do not say, sysconf, which on x86 asks cpuid
//   A cache that several cores share counts whole.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "src/base/number.h"
#include "src/machine/probe.h"

namespace ctconv {
namespace {

constexpr int kMostCaches = 8;  // folders index0 .. looked at

// First line of a file, cut to 63 characters; empty where it cannot be read.
std::string line_of(const std::string& path) {
  char text[64] = {};
  if (std::FILE* file = std::fopen(path.c_str(), "re")) {
    if (std::fread(text, 1, sizeof text - 1, file) == 0) text[0] = '\0';
    std::fclose(file);
  }
  text[std::strcspn(text, "\n")] = '\0';
  return text;
}

// "48K", "2M", "64" as bytes; 0: none of these.
int64_t bytes_of(std::string text) {
  int64_t unit = 1;
  if (!text.empty() && text.back() == 'K') unit = 1 << 10;
  if (!text.empty() && text.back() == 'M') unit = 1 << 20;
  if (unit != 1) text.pop_back();
  int64_t count = 0;
  constexpr int64_t kMostCount = int64_t{1} << 32;
  return read_number(text, &count) && count > 0 && count < kMostCount ? count * unit : 0;
}

void take(int64_t bytes, int64_t* field) {
  if (bytes > 0) *field = bytes;
}

void read_files(const std::string& root, Machine* m) {
  for (int n = 0; n < kMostCaches; ++n) {
    const std::string folder = root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(n) + "/";
    const std::string level = line_of(folder + "level"), type = line_of(folder + "type");
    if (level.empty()) return;
    if (type != "Data" && type != "Unified") continue;
    const int64_t bytes = bytes_of(line_of(folder + "size"));
    if (level == "1") take(bytes, &m->l1);
    if (level == "2") take(bytes, &m->l2);
    if (level == "3") take(bytes, &m->l3);
    take(bytes_of(line_of(folder + "coherency_line_size")), &m->line);
  }
}

}  // namespace

void read_caches(const char* root, Machine* m) {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  if (*root == '\0') {
    take(sysconf(_SC_LEVEL1_DCACHE_SIZE), &m->l1);
    take(sysconf(_SC_LEVEL1_DCACHE_LINESIZE), &m->line);
    take(sysconf(_SC_LEVEL2_CACHE_SIZE), &m->l2);
    take(sysconf(_SC_LEVEL3_CACHE_SIZE), &m->l3);
  }
#endif
  read_files(root, m);
}

}  // namespace ctconv
