// SPDX-License-Identifier: Apache-2.0
// Processor features by the compiler's own detection, the model by cpuid or the kernel's copy of the id register.
#include "src/base/cpu.h"

#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ctconv {
namespace {

#if defined(__x86_64__)
// The 48 characters of leaves 0x80000002 to 4, without blanks at the ends; empty where there are none.
std::string brand() {
  unsigned words[12] = {};
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* w = words + 4 * leaf;
    if (__get_cpuid(0x80000002u + leaf, w, w + 1, w + 2, w + 3) == 0) return {};
  }
  char text[sizeof words + 1] = {};
  std::memcpy(text, words, sizeof words);
  std::string s;
  for (const char* c = text; *c != '\0'; ++c) {
    const char plain = *c > ' ' && *c < 127 ? *c : ' ';
    if (plain != ' ' || (!s.empty() && s.back() != ' ')) s += plain;
  }
  while (!s.empty() && s.back() == ' ') s.pop_back();
  return s;
}
#endif

}  // namespace

std::string cpu_model() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return "unknown";
  const unsigned base = a >> 8 & 15;
  const unsigned family = base == 15 ? base + (a >> 20 & 255) : base;
  const unsigned model = (a >> 4 & 15) | (base == 15 || base == 6 ? (a >> 16 & 15) << 4 : 0);
  return brand() + ", family " + std::to_string(family) + " model " + std::to_string(model) + " stepping " +
         std::to_string(a & 15);
#elif defined(__aarch64__)
  char text[32] = {};
  if (std::FILE* file = std::fopen("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "re")) {
    if (std::fread(text, 1, sizeof text - 1, file) == 0) text[0] = '\0';
    std::fclose(file);
  }
  text[std::strcspn(text, "\n")] = '\0';
  return text[0] != '\0' ? "midr " + std::string(text) : "unknown";
#else
  return "unknown";
#endif
}

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
