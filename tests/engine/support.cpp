// See support.h.
#include "tests/engine/support.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstring>

#include "src/base/half.h"
#include "src/problem/text.h"

namespace ctconv::test {

int64_t pick(Rng& rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng() % static_cast<uint64_t>(high - low + 1));
}

double load(const void* data, Dtype t, int64_t at) {
  switch (t) {
    case Dtype::kF32:
      return static_cast<const float*>(data)[at];
    case Dtype::kF64:
      return static_cast<const double*>(data)[at];
    case Dtype::kF16:
      return f16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kBf16:
      return bf16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kI8:
      return static_cast<const int8_t*>(data)[at];
    case Dtype::kI32:
      return static_cast<const int32_t*>(data)[at];
  }
  return 0;
}

void store(void* data, Dtype t, int64_t at, double v) {
  switch (t) {
    case Dtype::kF32:
      static_cast<float*>(data)[at] = static_cast<float>(v);
      break;
    case Dtype::kF64:
      static_cast<double*>(data)[at] = v;
      break;
    case Dtype::kF16:
      static_cast<uint16_t*>(data)[at] = f32_to_f16(static_cast<float>(v));
      break;
    case Dtype::kBf16:
      static_cast<uint16_t*>(data)[at] = f32_to_bf16(static_cast<float>(v));
      break;
    case Dtype::kI8:
      static_cast<int8_t*>(data)[at] = static_cast<int8_t>(v);
      break;
    case Dtype::kI32:
      static_cast<int32_t*>(data)[at] = static_cast<int32_t>(v);
      break;
  }
}

namespace {

uint64_t bits_at(const void* data, Dtype t, int64_t at) {
  uint64_t u = 0;
  std::memcpy(&u, static_cast<const char*>(data) + at * static_cast<int64_t>(size_of(t)), size_of(t));
  return u;
}

// Elements a view spans, and where its first element lies.
struct Span {
  int64_t low = 0, high = 0;
  void add(int64_t extent, int64_t stride) { (stride < 0 ? low : high) += (extent - 1) * stride; }
  int64_t elements() const { return high - low + 1; }
};

Span span_of(const Problem& p, const ActivationLayout& l, bool output) {
  Span s;
  s.add(p.n, l.n);
  s.add(p.groups * (output ? p.co : p.ci), l.c);
  for (size_t a = 0; a < 3; ++a) s.add(output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i, l.axis[a]);
  return s;
}

Span span_of(const Problem& p, const WeightLayout& l) {
  Span s;
  s.add(p.groups, l.g);
  s.add(p.ci, l.ci);
  s.add(p.co, l.co);
  for (size_t a = 0; a < 3; ++a) s.add(p.axis[a].k, l.tap[a]);
  return s;
}

// Random strides for the extents: a random order of dimensions, gaps, flips, and where allowed broadcasts.
void any_strides(Rng& rng, const std::vector<int64_t>& extents, const std::vector<int64_t*>& strides, bool may_repeat) {
  std::vector<size_t> order(extents.size());
  for (size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::shuffle(order.begin(), order.end(), rng);
  int64_t step = 1;
  for (size_t k : order) {
    step += pick(rng, 0, 3) == 0 ? pick(rng, 1, 3) : 0;
    *strides[k] = step;
    step *= extents[k];
    if (pick(rng, 0, 3) == 0) *strides[k] = -*strides[k];
    if (may_repeat && pick(rng, 0, 7) == 0) *strides[k] = 0;
  }
}

}  // namespace

void lay_out(Problem* p, bool x_last, bool y_last) {
  for (const bool output : {false, true}) {
    ActivationLayout& l = output ? p->y : p->x;
    int64_t e[3], points = 1;
    for (size_t a = 0; a < 3; ++a) points *= e[a] = output ? p->axis[a].o + p->axis[a].tail : p->axis[a].i;
    const int64_t channels = p->groups * (output ? p->co : p->ci);
    const bool last = output ? y_last : x_last;
    const int64_t pixel = last ? channels : 1;
    l = {points * channels, last ? 1 : points, {e[1] * e[2] * pixel, e[2] * pixel, pixel}};
  }
  const int64_t taps[3] = {p->axis[1].k * p->axis[2].k, p->axis[2].k, 1};
  p->w = {p->ci * p->co * p->taps(), p->co * p->taps(), p->taps(), {taps[0], taps[1], taps[2]}};
  for (size_t a = 0; a + static_cast<size_t>(p->rank) < 3; ++a) p->x.axis[a] = p->y.axis[a] = p->w.tap[a] = 0;
}

Problem random_problem(Rng& rng, Dtype dtype, Layouts layouts) {
  Problem p;
  p.types = uniform_types(dtype);
  p.rank = static_cast<int>(pick(rng, 1, 3));
  p.n = pick(rng, 1, 3);
  p.groups = pick(rng, 0, 3) == 0 ? pick(rng, 2, 4) : 1;
  p.ci = pick(rng, 0, 3) == 0 ? pick(rng, 15, 35) : pick(rng, 1, 6);
  p.co = pick(rng, 0, 3) == 0 ? pick(rng, 15, 35) : pick(rng, 1, 6);
  const int64_t most = p.rank == 1 ? 40 : p.rank == 2 ? 9 : 5;
  for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
    Axis& x = p.axis[a];
    for (;;) {
      x = {pick(rng, 1, most), 1, pick(rng, 1, 4), pick(rng, 1, 3), pick(rng, 0, 2) == 0 ? pick(rng, 2, 4) : 1, 0, 0};
      const int64_t full = (x.i - 1) * x.s + x.d * (x.k - 1) + 1;
      x.lo = pick(rng, 0, 3);
      const int64_t hi = pick(rng, 0, 3) == 0 ? -pick(rng, 0, x.s + 1) : pick(rng, 0, 3);
      x.o = full - x.lo - hi;
      if (x.o >= 1) break;
    }
    if (pick(rng, 0, 9) == 0) x.tail = pick(rng, 1, 2);
  }
  p.epilogue.bias = pick(rng, 0, 1) == 1;
  const auto kind = pick(rng, 0, 11);
  if (kind <= Activation::kClip) p.epilogue.activation.kind = static_cast<Activation::Kind>(kind);
  if (p.epilogue.activation.kind == Activation::kLeakyRelu) p.epilogue.activation.alpha = 0.25;
  if (p.epilogue.activation.kind == Activation::kClip) {
    p.epilogue.activation.alpha = -3;
    p.epilogue.activation.beta = 6;
  }
  lay_out(&p, pick(rng, 0, 1) == 1, pick(rng, 0, 1) == 1);
  if (layouts == Layouts::kAny) {
    const auto activation = [&](ActivationLayout* l, bool output) {
      std::vector<int64_t> e = {p.n, p.groups * (output ? p.co : p.ci)};
      std::vector<int64_t*> s = {&l->n, &l->c};
      for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
        e.push_back(output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i);
        s.push_back(&l->axis[a]);
      }
      any_strides(rng, e, s, !output);
    };
    activation(&p.x, false);
    activation(&p.y, true);
    std::vector<int64_t> e = {p.groups, p.ci, p.co};
    std::vector<int64_t*> s = {&p.w.g, &p.w.ci, &p.w.co};
    for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
      e.push_back(p.axis[a].k);
      s.push_back(&p.w.tap[a]);
    }
    any_strides(rng, e, s, true);
  }
  return p;
}

Case make_case(const Problem& p, Rng& rng, Values values) {
  Case c;
  c.p = p;
  const auto value = [&] {
    return values == Values::kSmallInteger ? static_cast<double>(pick(rng, -4, 4))
                                           : std::ldexp(static_cast<double>(pick(rng, -(1 << 20), 1 << 20)), -20);
  };
  const auto fill = [&](Memory* m, const Span& s) {
    m->origin = -s.low;
    m->bytes.resize(static_cast<size_t>(s.elements()) * size_of(p.types.x));
    for (int64_t k = 0; k < s.elements(); ++k) store(m->bytes.data(), p.types.x, k, value());
  };
  fill(&c.x, span_of(p, p.x, false));
  fill(&c.w, span_of(p, p.w));
  if (p.epilogue.bias) {
    const Dtype t = accumulator_of(p.types.x);
    c.bias.resize(static_cast<size_t>(p.groups * p.co) * size_of(t));
    for (int64_t k = 0; k < p.groups * p.co; ++k) store(c.bias.data(), t, k, value());
  }
  return c;
}

double Case::x_at(int64_t n, int64_t c, int64_t d, int64_t h, int64_t v) const {
  return load(x.data(p.types.x), p.types.x,
              n * p.x.n + c * p.x.c + d * p.x.axis[0] + h * p.x.axis[1] + v * p.x.axis[2]);
}
double Case::w_at(int64_t g, int64_t ci, int64_t co, int64_t d, int64_t h, int64_t v) const {
  return load(w.data(p.types.x), p.types.x,
              g * p.w.g + ci * p.w.ci + co * p.w.co + d * p.w.tap[0] + h * p.w.tap[1] + v * p.w.tap[2]);
}
double Case::bias_at(int64_t c) const { return bias.empty() ? 0 : load(bias.data(), accumulator_of(p.types.x), c); }

Answer run(const Engine& engine, const Case& c, PlanContext context, const Runner& runner) {
  Answer answer;
  const Problem& p = c.p;
  context.threads = runner.workers();
  auto kernel = engine.plan(p, context);
  if (!kernel.ok()) {
    answer.status = kernel.take_status();
    return answer;
  }
  const Kernel& k = **kernel;
  answer.form = k.form();
  REQUIRE(k.estimated_seconds() > 0);
  const Span s = span_of(p, p.y, true);
  constexpr uint8_t kUntouched = 0xa5;
  Memory y;
  y.origin = -s.low;
  y.bytes.assign(static_cast<size_t>(std::max<int64_t>(0, s.elements())) * size_of(p.types.x), kUntouched);
  constexpr size_t kGuard = 64;
  const auto guarded = [](size_t bytes) {
    Buffer b(Allocator{}, round_up(bytes) + kGuard);
    std::memset(b.data(), 0xff, b.bytes());  // NaN to whoever trusts it
    return b;
  };
  const auto guard_intact = [](const Buffer& b) {
    const auto* end = static_cast<const uint8_t*>(b.data()) + b.bytes();
    return std::all_of(end - kGuard, end, [](uint8_t v) { return v == 0xff; });
  };
  Buffer packed = guarded(k.packed_bytes()), scratch = guarded(k.scratch_bytes());
  const auto honoured = k.pack(c.w.data(p.types.x), packed.data(), runner);
  if (!honoured.ok() || !*honoured) {
    answer.status = honoured.ok() ? refuse("pack: not with these weights") : Status(honoured.status().detail());
    return answer;
  }
  const Operands memory{.x = read_only(c.x.data(p.types.x)),
                        .w = read_only(c.w.data(p.types.w)),
                        .packed = packed.data(),
                        .bias = c.bias.empty() ? nullptr : read_only(c.bias.data()),
                        .y = y.data(p.types.y),
                        .scratch = scratch.data()};
  answer.status = k.run(memory, runner);
  if (!answer.status.ok()) return answer;
  REQUIRE(guard_intact(packed));
  REQUIRE(guard_intact(scratch));
  std::vector<bool> ours(y.bytes.size() / size_of(p.types.x));
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t ch = 0; ch < p.groups * p.co; ++ch)
      for (int64_t d = 0; d < p.axis[0].o; ++d)
        for (int64_t h = 0; h < p.axis[1].o; ++h)
          for (int64_t v = 0; v < p.axis[2].o; ++v) {
            const int64_t at = n * p.y.n + ch * p.y.c + d * p.y.axis[0] + h * p.y.axis[1] + v * p.y.axis[2];
            answer.y.push_back(load(y.data(p.types.x), p.types.x, at));
            answer.bits.push_back(bits_at(y.data(p.types.x), p.types.x, at));
            ours[static_cast<size_t>(y.origin + at)] = true;
          }
  for (size_t e = 0; e < ours.size(); ++e) {
    for (size_t b = 0; !ours[e] && b < size_of(p.types.x); ++b)
      REQUIRE(y.bytes[e * size_of(p.types.x) + b] == kUntouched);
  }
  return answer;
}

namespace {

std::vector<double> scattered(const Case& c, bool absolute) {
  const Problem& p = c.p;
  const auto& a = p.axis;
  std::vector<double> y(static_cast<size_t>(p.out_elements()), 0.0);
  size_t at = 0;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t ch = 0; ch < p.groups * p.co; ++ch)
      for (int64_t v = 0; v < a[0].o * a[1].o * a[2].o; ++v)
        y[at++] = absolute ? std::fabs(c.bias_at(ch)) : c.bias_at(ch);
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t g = 0; g < p.groups; ++g)
      for (int64_t ci = 0; ci < p.ci; ++ci)
        for (int64_t d = 0; d < a[0].i; ++d)
          for (int64_t h = 0; h < a[1].i; ++h)
            for (int64_t v = 0; v < a[2].i; ++v) {
              const double x = c.x_at(n, g * p.ci + ci, d, h, v);
              for (int64_t td = 0; td < a[0].k; ++td)
                for (int64_t th = 0; th < a[1].k; ++th)
                  for (int64_t tv = 0; tv < a[2].k; ++tv) {
                    const int64_t od = d * a[0].s + td * a[0].d - a[0].lo, oh = h * a[1].s + th * a[1].d - a[1].lo,
                                  ov = v * a[2].s + tv * a[2].d - a[2].lo;
                    if (od < 0 || oh < 0 || ov < 0 || od >= a[0].o || oh >= a[1].o || ov >= a[2].o) continue;
                    for (int64_t co = 0; co < p.co; ++co) {
                      const double product = x * c.w_at(g, ci, co, td, th, tv);
                      const int64_t plane = (n * p.groups + g) * p.co + co;
                      y[static_cast<size_t>(((plane * a[0].o + od) * a[1].o + oh) * a[2].o + ov)] +=
                          absolute ? std::fabs(product) : product;
                    }
                  }
            }
  return y;
}

}  // namespace

std::vector<double> scatter(const Case& c) { return scattered(c, false); }
std::vector<double> magnitude(const Case& c) { return scattered(c, true); }

std::string describe(const Problem& p) { return to_text(p); }

}  // namespace ctconv::test
