// Processor features by the compiler's own detection; cores by the scheduler's affinity mask.
#include "src/base/cpu.h"

#if defined(__linux__)
#include <sched.h>
#endif
#include <thread>

namespace ctconv {

std::string cpu_features() {
  std::string s;
#if defined(__x86_64__)
  const auto add = [&](bool there, const char* name) {
    if (there) s += (s.empty() ? "" : " ") + std::string(name);
  };
  __builtin_cpu_init();
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512bw"), "avx512bw");
  add(__builtin_cpu_supports("avx512vnni"), "avx512vnni");
  add(__builtin_cpu_supports("avx512bf16"), "avx512bf16");
#elif defined(__aarch64__)
  s = "neon";
#endif
  return s.empty() ? "none" : s;
}

int32_t allowed_cores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const unsigned n = std::thread::hardware_concurrency();
  return n > 0 ? static_cast<int32_t>(n) : 1;
}

}  // namespace ctconv
