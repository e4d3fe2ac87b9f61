// Processor features by the compiler's own detection.
#include "src/base/cpu.h"

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

}  // namespace ctconv
