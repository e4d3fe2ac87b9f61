// SPDX-License-Identifier: Apache-2.0
// Finding an OpenMP runtime and sharing tasks out to its threads; see openmp.h.
//
//   in:  what is loaded (dl_iterate_phdr)   out: four of its functions, and teams that refer to them
//   refuses (null): no runtime of that name, workers beyond 1 to kMostWorkers, a child of a fork; throws bad_alloc
//   A child of fork that loads this library itself is known by its parent: only a process that was forked and has not
//   begun a program of its own has its stack where its parent has it. A child whose parent has ended is not known.
#include "src/base/openmp.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "src/base/guarded.h"
#include "src/base/number.h"

namespace ctconv {
namespace {

constexpr int32_t kMostWorkers = 4096;
constexpr const char* kNames[] = {"libgomp", "libiomp5", "libomp"};

struct Runtime {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*thread_number)() = nullptr;
  int (*most_threads)() = nullptr;
  int (*level)() = nullptr;  // of parallel regions around the caller
};

template <class Function>
bool take(void* library, const char* name, Function& to) {
  to = reinterpret_cast<Function>(dlsym(library, name));
  return to != nullptr;
}

// A library that is loaded stays so from here on: its functions are kept.
bool open_runtime(const char* path, Runtime& to) {
  void* library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return false;
  if (take(library, "GOMP_parallel", to.parallel) && take(library, "omp_get_thread_num", to.thread_number) &&
      take(library, "omp_get_max_threads", to.most_threads) && take(library, "omp_get_level", to.level)) {
    return true;
  }
  dlclose(library);
  return false;
}

struct Asked {
  const char* library;
  std::string path;  // of the first that fits
};

bool fits(const std::string& path, const char* library) {
  if (library != nullptr && path.find(library) == std::string::npos) return false;
  const std::string name = path.substr(path.rfind('/') + 1);
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* known) { return name.rfind(known, 0) == 0; });
}

int look_at(dl_phdr_info* info, size_t /*size*/, void* data) {
  auto& asked = *static_cast<Asked*>(data);
  try {
    const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
    if (path.empty() || !fits(path, asked.library)) return 0;
    asked.path = path;
    return 1;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

// Where the stack of a process begins, by the kernel; 0 where it is not told. Names in brackets may hold anything.
uint64_t stack_of(const std::string& process) {
  constexpr int kStack = 28, kBehindName = 3;
  std::string text(1024, '\0');
  const int file = open(("/proc/" + process + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t count = read(file, text.data(), text.size());
  close(file);
  size_t at = count > 0 ? text.rfind(')', static_cast<size_t>(count)) : std::string::npos;
  for (int field = kBehindName; field <= kStack && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  uint64_t stack = 0;
  if (at == std::string::npos || !read_number(text.substr(at + 1, text.find(' ', at + 1) - at - 1), &stack)) return 0;
  return stack;
}

bool forked() {
  static const bool before = [] {
    const uint64_t own = stack_of("self");
    return own > 1 && own == stack_of(std::to_string(getppid()));
  }();
  return before || forks() != 0;
}

struct Job {
  std::atomic<int64_t> next{0};
  const int64_t count;
  void (*const task)(void*, int64_t, int32_t);
  void* const data;
  const OpenMpTeam& team;
};

}  // namespace

struct OpenMpTeam {
  Runtime runtime;
  int32_t workers = 1;
  pid_t process = 0;  // whose threads these are
};

namespace {

// Ops hold pointers to them.
using Teams = std::vector<std::unique_ptr<OpenMpTeam>>;
Guarded<Teams>& teams() {
  static Guarded<Teams> all;
  return all;
}

const OpenMpTeam* kept(const OpenMpTeam& wanted) {
  const auto all = teams().lock();
  for (const auto& team : *all) {
    if (team->runtime.parallel == wanted.runtime.parallel && team->workers == wanted.workers) return team.get();
  }
  return all->emplace_back(std::make_unique<OpenMpTeam>(wanted)).get();
}

void run_some(void* job_of_all) {
  auto& job = *static_cast<Job*>(job_of_all);
  const int32_t worker = job.team.runtime.thread_number();
  if (worker < 0 || worker >= job.team.workers) return;
  for (int64_t i = job.next++; i < job.count; i = job.next++) job.task(job.data, i, worker);
}

}  // namespace

const OpenMpTeam* openmp_team(const char* library, int32_t workers) {
  if (workers < 0 || workers > kMostWorkers || forked()) return nullptr;
  Asked asked{library, ""};
  dl_iterate_phdr(&look_at, &asked);
  OpenMpTeam team;
  if (asked.path.empty() || !open_runtime(asked.path.c_str(), team.runtime)) return nullptr;
  team.workers = workers != 0 ? workers : std::clamp<int32_t>(team.runtime.most_threads(), 1, kMostWorkers);
  team.process = getpid();
  return kept(team);
}

int32_t workers_of(const OpenMpTeam& team) { return team.workers; }

void openmp_parallel_for(void* user, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
  const auto& team = *static_cast<const OpenMpTeam*>(user);
  if (team.workers == 1 || count == 1 || team.process != getpid() || team.runtime.level() > 0) {
    for (int64_t i = 0; i < count; ++i) task(data, i, 0);
    return;
  }
  Job job{.count = count, .task = task, .data = data, .team = team};
  team.runtime.parallel(&run_some, &job, static_cast<unsigned>(team.workers), 0);
}

}  // namespace ctconv
