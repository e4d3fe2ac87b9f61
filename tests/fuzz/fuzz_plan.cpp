// Property: for every small problem the one-line form can say, with dense or odd strides, every engine answers a
//           kernel or a reason,
// and what the engines with exact bits compute equals the reference (bit for bit, values from the bytes).
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "capi/engines.h"
#include "src/plan/plan.h"
#include "src/problem/canonicalize.h"
#include "src/problem/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ctconv;
  const auto* end = static_cast<const uint8_t*>(size ? std::memchr(data, '\n', size) : nullptr);
  const size_t length = end ? static_cast<size_t>(end - data) : size;
  auto parsed = problem_from_text({reinterpret_cast<const char*>(data), length});
  if (!parsed.ok()) return 0;
  Problem p = *parsed;
  // The engines may assume what canonicalize promises: the extents fit together. Strides: dense only, memory is ours.
  double work = useful_flop(p) + static_cast<double>(p.out_elements());
  for (const Axis& a : p.axis) {
    if (a.i > 64 || a.o > 128 || a.k > 32 || a.s > 32 || a.d > 32 || a.lo > 1024 || a.tail > 8) return 0;
  }
  if (work > 1e6 || p.n > 8 || p.groups * p.ci > 64 || p.groups * p.co > 64) return 0;
  if (order_of(p.x, p, false) == Order::kOther || order_of(p.y, p, true) == Order::kOther) return 0;
  const std::string text = to_text(p);
  p = *problem_from_text(text.substr(0, text.find(" w=")));  // dense weight too; bias and activation fall away
  p.epilogue.bias = parsed->epilogue.bias;
  p.epilogue.activation = parsed->epilogue.activation;

  int64_t y_count = p.n * p.groups * p.co;
  for (const Axis& a : p.axis) y_count *= a.o + a.tail;
  const size_t element = size_of(p.types.x);
  const auto values = [&](int64_t count, size_t seed) {
    std::vector<unsigned char> out(static_cast<size_t>(count) * element + 8);
    for (size_t n = 0; n < out.size(); ++n)
      out[n] = size > length ? data[length + (n * 7 + seed) % (size - length)] : 0x3C;
    return out;
  };
  const auto x = values(p.in_elements(), 0), w = values(p.weight_elements(), 1);
  std::vector<double> bias(static_cast<size_t>(p.groups * p.co), 0.5);

  std::vector<unsigned char> reference;
  const Engine* const* last = &cpu_engines().back();
  for (const Engine* engine : {*last, cpu_engines().front()}) {
    Allocator allocator;
    PackedStore store;
    PlanRequest request;
    request.engines = cpu_engines();
    request.reference = reference_engine();
    request.engine = engine->name;
    request.weight = w.data();
    request.allocator = &allocator;
    request.store = &store;
    auto plan = make_plan(p, request);
    if (!plan.ok()) {
      if (engine == *last || plan.status().detail().message.size() <= 10) std::abort();
      continue;
    }
    std::vector<unsigned char> y(static_cast<size_t>(y_count) * element + 64, 0xA5),
        workspace((*plan)->workspace_bytes() + 1);
    const RunMemory memory{.x = x.data(),
                           .w = w.data(),
                           .bias = p.epilogue.bias ? bias.data() : nullptr,
                           .y = y.data(),
                           .workspace = workspace.data()};
    if (!run_plan(**plan, memory, Runner()).ok()) std::abort();
    for (size_t n = y.size() - 64; n < y.size(); ++n) {
      if (y[n] != 0xA5) std::abort();
    }
    if (engine == *last) {
      reference = y;
    } else if (engine->strongest == Bits::kReference && y != reference) {
      // NaN payloads are not promised: compare where neither is NaN.
      for (int64_t n = 0; n < y_count; ++n) {
        unsigned char a[8] = {}, b[8] = {};
        std::memcpy(a, y.data() + static_cast<size_t>(n) * element, element);
        std::memcpy(b, reference.data() + static_cast<size_t>(n) * element, element);
        if (std::memcmp(a, b, element) == 0) continue;
        const auto nan = [&](const unsigned char* v) {
          if (p.types.x == Dtype::kF64) {
            double d;
            std::memcpy(&d, v, 8);
            return d != d;
          }
          uint32_t bits = 0;
          std::memcpy(&bits, v, element);
          return p.types.x == Dtype::kF32   ? (bits & 0x7fffffffu) > 0x7f800000u
                 : p.types.x == Dtype::kF16 ? (bits & 0x7fffu) > 0x7c00u
                                            : (bits & 0x7fffu) > 0x7f80u;
        };
        if (!nan(a) || !nan(b)) std::abort();
      }
    }
  }
  return 0;
}
