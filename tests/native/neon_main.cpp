// SPDX-License-Identifier: Apache-2.0
// The native engine on a CPU with NEON, as a program of its own: cross-compiled, it needs no test framework.
//
//   in:      [problems a form, 300 if left out]; which NEON variants run is what Highway was built for and this CPU has
//   out:     one line per variant and form, exit 0; the first problem whose bytes differ from the reference's, exit 1
//   refuses: a CPU, or a build, whose vectors are not NEON (exit 1)
#include <cstdio>
#include <cstdlib>

#include "hwy/targets.h"
#include "src/kit/moves.h"
#include "tests/native/forms.h"
#include "tests/native/random_problem.h"

namespace ctconv::native_test {
namespace {

// How many problems are drawn for one that the form serves (the others it refuses, which costs nothing).
struct Form {
  Engine engine;
  int drawn;
  double least_served;
};
const Form kForms[] = {{kNativeEngine, 1, 1.0}, {kPositions, 1, 1.0}, {kChannels, 1, 0.9}, {kMerged, 3, 0.1},
                       {kDepthwise, 12, 0.008}, {kRows, 12, 0.008},   {kTurned, 6, 0.01},  {kTaps, 6, 0.02}};

bool sweep(const Form& form, uint64_t seed, int count) {
  int run = 0;
  for (int i = 0; i < count; ++i) {
    std::mt19937_64 rng(seed * 1000003 + static_cast<uint64_t>(i));
    const Problem p = random_problem(rng);
    const int workers = 1 + static_cast<int>(rng() % 4);
    const Outcome o = compare(form.engine, p, rng, workers);
    if (!o.refused) ++run;
    if (!o.same) {
      std::printf("%s %d: %s\n  %s\n  %s, workers %d\n", form.engine.name, i, text(p).c_str(), o.form.c_str(),
                  o.why.c_str(), workers);
      return false;
    }
  }
  std::printf("  %-10s %5d problems drawn, %5d run, all equal\n", form.engine.name, count, run);
  if (run < form.least_served * count) std::printf("%s: fewer problems run than expected\n", form.engine.name);
  return run >= form.least_served * count;
}

// Any two NaNs are equal here: their payload is nobody's promise.
bool same(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b)); }

// Every 16-bit value widened, 2^20 bit patterns of a float narrowed and activated, against the scalar steps.
bool conversions() {
  const kit::Moves<float> s = kit::moves<float>();
  std::vector<uint16_t> h(65536), narrowed(1 << 20);
  for (size_t k = 0; k < h.size(); ++k) h[k] = static_cast<uint16_t>(k);
  std::vector<float> f(narrowed.size()), out(f.size());
  std::mt19937_64 rng(9);
  for (float& v : f) {
    const uint32_t bits = static_cast<uint32_t>(rng());
    std::memcpy(&v, &bits, sizeof v);
    if (rng() % 2) v = std::ldexp(v, -std::ilogb(v) + static_cast<int>(rng() % 44) - 27);  // about the range of f16
  }
  for (Dtype t : {Dtype::kF16, Dtype::kBf16}) {
    auto widen = [&](uint16_t v) { return t == Dtype::kF16 ? f16_to_f32(v) : bf16_to_f32(v); };
    s.load(h.data(), 1, t, static_cast<int64_t>(h.size()), out.data());
    for (size_t k = 0; k < h.size(); ++k) {
      if (same(out[k], widen(h[k]))) continue;
      std::printf("widening %s %04x gives %a instead of %a\n", name_of(t), h[k], out[k], widen(h[k]));
      return false;
    }
    s.store(f.data(), static_cast<int64_t>(f.size()), t, narrowed.data(), 1, false);
    for (size_t k = 0; k < f.size(); ++k) {
      const uint16_t want = t == Dtype::kF16 ? f32_to_f16(f[k]) : f32_to_bf16(f[k]);
      if (narrowed[k] == want || (std::isnan(f[k]) && std::isnan(widen(narrowed[k])))) continue;
      std::printf("narrowing %a to %s gives %04x instead of %04x\n", f[k], name_of(t), narrowed[k], want);
      return false;
    }
  }
  for (auto kind :
       {Activation::kRelu, Activation::kLeakyRelu, Activation::kTanh, Activation::kSigmoid, Activation::kClip}) {
    Activation e;
    e.kind = kind;
    e.alpha = kind == Activation::kClip ? -0.5 : 0.1;
    e.beta = 0.75;
    out = f;
    s.activate(e, out.data(), static_cast<int64_t>(out.size()));
    for (size_t k = 0; k < f.size(); ++k) {
      if (same(out[k], rig::activated(e, f[k]))) continue;
      std::printf("activation %d of %a gives %a instead of %a\n", kind, f[k], out[k], rig::activated(e, f[k]));
      return false;
    }
  }
  std::printf("  conversions and activations equal\n");
  return true;
}

int check(int count) {
  int variants = 0;
  for (int64_t target : {HWY_NEON_WITHOUT_AES, HWY_NEON}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    const kit::Moves<float> s = kit::moves<float>();
    if (s.lanes == 0 || std::strncmp(s.name, "NEON", 4) != 0) {
      std::printf("asked for %s, the engine took %s\n", hwy::TargetName(target), s.lanes == 0 ? "none" : s.name);
      return 1;
    }
    std::printf("%s: %d lanes of f32, %d of f64, %d accumulators\n", s.name, s.lanes, kit::moves<double>().lanes,
                s.accumulators);
    if (!conversions()) return 1;
    uint64_t seed = 10;
    for (const Form& form : kForms) {
      if (!sweep(form, ++seed, count * form.drawn)) return 1;
      std::fflush(stdout);
    }
    ++variants;
    hwy::SetSupportedTargetsForTest(0);
  }
  if (variants == 0)
    std::printf("this CPU or this build has no NEON (Highway's targets: %llx)\n",
                static_cast<unsigned long long>(hwy::SupportedTargets()));
  return variants == 0;
}

}  // namespace
}  // namespace ctconv::native_test

int main(int argc, char** argv) { return ctconv::native_test::check(argc > 1 ? std::atoi(argv[1]) : 300); }
