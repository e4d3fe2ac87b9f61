// SPDX-License-Identifier: Apache-2.0
// Reads the affinity mask and the control groups; see cores.h.
#include "src/base/cores.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>
#include <string_view>

#include "src/base/number.h"

namespace ctconv {
namespace {

constexpr size_t kMostText = 1 << 16;  // no file read here is longer
constexpr int kMostLevels = 64;        // groups above each other
constexpr int32_t kMostCores = 1024;   // as many threads as the pool starts

// The file's text, empty where it cannot be read.
std::string text_of(const std::string& path) {
  std::string text;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  text.resize(kMostText);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

std::string_view next_word(std::string_view* text, std::string_view separators) {
  const size_t from = std::min(text->find_first_not_of(separators), text->size());
  const size_t to = std::min(text->find_first_of(separators, from), text->size());
  const std::string_view word = text->substr(from, to - from);
  text->remove_prefix(to);
  return word;
}

// quota / period in cores; 0 where there is no limit or no sense in them ("max", -1, a broken file).
double share(std::string_view quota, std::string_view period) {
  double q = 0, p = 0;
  if (!read_number(quota, &q) || !read_number(period, &p)) return 0;
  return q > 0 && p > 0 ? q / p : 0;
}

// Of one group's folder.
double quota_of_group(const std::string& folder, bool v2) {
  if (v2) {
    const std::string text = text_of(folder + "/cpu.max");
    std::string_view rest = text;
    const std::string_view quota = next_word(&rest, " \n");
    return share(quota, next_word(&rest, " \n"));
  }
  const std::string quota = text_of(folder + "/cpu.cfs_quota_us"), period = text_of(folder + "/cpu.cfs_period_us");
  std::string_view q = quota, p = period;
  return share(next_word(&q, " \n"), next_word(&p, " \n"));
}

// The least of the group at `path` below `mount` and of all groups above it.
double quota_along(const std::string& mount, std::string_view path, bool v2) {
  double least = 0;
  if (path.find("/..") != std::string_view::npos) path = "";  // outside what this container sees
  for (int level = 0; level < kMostLevels; ++level) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    const double found = quota_of_group(mount + std::string(path), v2);
    if (found > 0 && (least == 0 || found < least)) least = found;
    if (path.empty()) break;
    path = path.substr(0, path.rfind('/'));
  }
  return least;
}

// Whether a list such as "cpu,cpuacct" names the controller cpu.
bool names_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    if (next_word(&controllers, ",") == "cpu") return true;
  }
  return false;
}

CoreMask mask_of(pid_t thread) {
  CoreMask mask;
  if (sched_getaffinity(thread, CoreMask::bytes(), mask.set()) != 0) mask = CoreMask();
  return mask;
}

}  // namespace

CoreMask CoreMask::of_process() { return mask_of(getpid()); }
CoreMask CoreMask::of_thread() { return mask_of(0); }

double cpu_quota(const std::string& root) {
  const std::string groups = text_of(root + "/proc/self/cgroup"), mounts = root + "/sys/fs/cgroup";
  double least = 0;
  const auto take = [&least](double found) {
    if (found > 0 && (least == 0 || found < least)) least = found;
  };
  // Lines "<number>:<controllers>:<path>"; v2 is number 0 without controllers.
  for (std::string_view rest = groups; !rest.empty();) {
    std::string_view line = next_word(&rest, "\n");
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      take(quota_along(mounts, path, true));
      take(quota_along(mounts + "/unified", path, true));
    } else if (names_cpu(controllers)) {
      take(quota_along(mounts + "/" + std::string(controllers), path, false));
      if (controllers != "cpu") take(quota_along(mounts + "/cpu", path, false));
    }
  }
  return least;
}

double cpu_quota() {
  static const double quota = cpu_quota("");
  return quota;
}

std::string cpu_quota_text() {
  const double quota = cpu_quota();
  return quota > 0 ? show_general(quota, 6) + " cores" : "none";
}

int32_t allowed_cores() {
  int32_t count = CoreMask::of_process().count();
  if (count == 0) count = CoreMask::of_thread().count();
  if (count == 0) count = static_cast<int32_t>(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, kMostCores));
  try {
    const double quota = cpu_quota();
    if (quota > 0 && quota < count) count = static_cast<int32_t>(std::ceil(quota));
  } catch (const std::bad_alloc&) {  // asked again next time
  }
  return std::clamp(count, 1, kMostCores);
}

}  // namespace ctconv
