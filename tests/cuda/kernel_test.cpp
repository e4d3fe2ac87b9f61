// SPDX-License-Identifier: Apache-2.0
// The kernels' own source, run on the CPU block by block and thread by thread, against a scalar scan: equal bits.
//
//   What this shows: every index, predicate, order of sums and rounding.
//   What it cannot show: races and the hardware's own units.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "cuda/geometry.h"
#include "src/backend/cuda/cuda_module.h"
#include "tests/cuda/on_cpu.h"
#include "tests/rig/problems.h"
#include "tests/rig/rounds.h"

namespace ctconv::cuda::testing {
namespace {

template <class T>
void run_direct(Case<T>& c, DirectParams p) {
  p.x = c.x.data();
  p.w = c.w.data() + c.w_first;
  p.bias = c.bias_data();
  p.y = c.y.data();
  for (int64_t e = 0; e < p.elements; ++e) direct_element<T>(p, e);
}

template <class T>
void run_cell(Case<T>& c, CellForm form, CellParams p) {
  const std::vector<T> packed = packed_weights(c, Packing::kCells);
  const Aligned<T> w(packed);
  Aligned<T> y(c.y);
  p.x = c.x.data();
  p.w = w.data;
  p.bias = c.bias_data();
  p.y = y.data;
  const bool known = with_cell(form, [&]<int S, int Q, int CB>() {
    REQUIRE(form.q == Q);
    for (uint32_t e = 0; e < p.threads; ++e) cell_item<T, S, Q, CB>(p, e);
  });
  REQUIRE(known);
  std::copy(y.data, y.data + c.y.size(), c.y.begin());
}

template <class T>
void run_pixel(Case<T>& c, bool vector, PixelParams p) {
  const std::vector<T> packed = packed_weights(c, Packing::kTapsFirst);
  const Aligned<T> x(c.x), w(packed);
  Aligned<T> y(c.y);
  p.x = x.data;
  p.w = w.data;
  p.bias = c.bias_data();
  p.y = y.data;
  for (uint32_t e = 0; e < p.items; ++e) vector ? pixel_item<T, 16 / sizeof(T)>(p, e) : pixel_item<T, 1>(p, e);
  std::copy(y.data, y.data + c.y.size(), c.y.begin());
}

template <class T, ShuffleMath kMath>
void run_shuffle(Case<T>& c, ShuffleParams p) {
  using Kernel = Shuffle<T, kMath>;
  const std::vector<T> packed = packed_weights(c, p.channels_last ? Packing::kTapsMiddle : Packing::kTapsLast);
  p.x = c.x.data();
  p.w = packed.data();
  p.bias = c.bias_data();
  p.y = c.y.data();
  auto shared = std::make_unique<typename Kernel::Shared>();
  std::vector<typename Kernel::Registers> r(kShuffleThreads);
  const auto all = [](auto&& f) {
    for (int32_t t = 0; t < kShuffleThreads; ++t) f(t);
  };
  for (int32_t g = 0; g < p.groups; ++g) {
    for (int32_t tc = 0; tc < (p.columns + p.tile_columns - 1) / p.tile_columns; ++tc) {
      for (int32_t tm = 0; tm < (p.positions + kTile - 1) / kTile; ++tm) {
        all([&](int32_t t) { Kernel::begin(p, tm, tc, g, t, *shared, r[t]); });
        all([&](int32_t t) { Kernel::fetch(p, tc, g, 0, t, r[t]); });
        for (int32_t k = 0; k < p.ci; k += Kernel::kDepth) {
          all([&](int32_t t) { Kernel::stash(p, t, *shared, r[t]); });
          if (k + Kernel::kDepth < p.ci) all([&](int32_t t) { Kernel::fetch(p, tc, g, k + Kernel::kDepth, t, r[t]); });
          all([&](int32_t t) { Kernel::multiply(p, t, *shared, r[t]); });
        }
        all([&](int32_t t) { Kernel::spill(p, t, *shared, r[t]); });
        all([&](int32_t t) { Kernel::write(p, t, *shared); });
      }
    }
  }
}

template <class T>
void run_epilogue(Case<T>& c, const Box& interior, bool finish_interior, bool wide) {
  EpilogueParams p;
  bool vector = false;
  EpilogueWay way = epilogue_form(c.p, interior, finish_interior, &vector, &p);
  if (wide) {
    way = EpilogueWay::kAny;
    p.wide = 1;
  }  // as for 2^31 elements and more
  Aligned<T> y(c.y);
  p.y = y.data;
  p.bias = c.bias_data();
  constexpr int kV = 16 / sizeof(T);
  const int64_t items = way == EpilogueWay::kAny || !vector ? p.elements : p.elements / kV;
  for (int64_t e = 0; e < items; ++e) {
    const auto at = static_cast<uint32_t>(e);
    if (way == EpilogueWay::kAny) {
      epilogue_any<T>(p, e);
    } else if (way == EpilogueWay::kRows) {
      vector ? epilogue_rows<T, kV>(p, at) : epilogue_rows<T, 1>(p, at);
    } else {
      vector ? epilogue_channels<T, kV>(p, at) : epilogue_channels<T, 1>(p, at);
    }
  }
  std::copy(y.data, y.data + c.y.size(), c.y.begin());
}

struct Counts {
  int direct = 0, cell = 0, cell_sliding = 0, cell_whole = 0, pixel = 0, pixel_vector = 0, shuffle = 0, tensor = 0;
};

// Every form that takes the problem gives the definition's bits.
template <class T>
void agree(const ctconv_cuda_problem& problem, Random& r, Counts* counts) {
  Case<T> c;
  c.take(problem);
  fill(r, &c, false, r() % 4 == 0);
  const auto clean = c.y;
  auto expected = expected_core(c);

  DirectParams direct;
  REQUIRE(direct_form(c.p, &direct).empty());
  run_direct(c, direct);
  check_core(c, expected, "direct");
  ++counts->direct;

  CellForm form;
  CellParams cell;
  if (cell_form(c.p, &form, &cell).empty()) {
    c.y = clean;
    run_cell(c, form, cell);
    check_core(c, expected, "cell");
    ++(form.s ? counts->cell_sliding : counts->cell);
    counts->cell_whole += cell.whole != 0;
  }
  PixelParams pixel;
  bool vector = false;
  if (pixel_form(c.p, &vector, &pixel).empty()) {
    c.y = clean;
    run_pixel(c, vector, pixel);
    check_core(c, expected, "pixel");
    ++(vector ? counts->pixel_vector : counts->pixel);
    if (vector) {  // what a call with unaligned pointers takes
      c.y = clean;
      pixel_vectors(channels_out(c.p), c.p, &pixel);
      run_pixel(c, false, pixel);
      check_core(c, expected, "pixel, element by element");
    }
  }
  ShuffleParams shuffle;
  if (shuffle_form(c.p, ShuffleMath::kFma, &shuffle).empty()) {
    c.y = clean;
    run_shuffle<T, ShuffleMath::kFma>(c, shuffle);
    check_core(c, expected, "shuffle fma");
    ++counts->shuffle;
  }
  if constexpr (!std::is_same_v<T, double>) {
    if (shuffle_form(c.p, ShuffleMath::kTensor, &shuffle).empty()) {
      fill(r, &c, true, false);  // small integers: exact in TF32 and in any order
      expected = expected_core(c);
      run_shuffle<T, ShuffleMath::kTensor>(c, shuffle);
      check_core(c, expected, "shuffle tensor");
      ++counts->tensor;
    }
  }
}

template <class T>
void one(uint64_t seed, Limits limits, Counts* counts) {
  Random r(seed);
  INFO("seed " << seed << ", dtype " << dtype_of<T>());
  const ctconv_cuda_problem problem = random_problem(r, dtype_of<T>(), limits);
  agree<T>(problem, r, counts);
}

template <class T>
void many(int from, int count, Counts* counts) {
  for (int s = from; s < from + count; ++s) {
    one<T>(static_cast<uint64_t>(s), {}, counts);
    one<T>(static_cast<uint64_t>(s) + 1000000, {.k_is_s = true, .tails = false}, counts);
    one<T>(static_cast<uint64_t>(s) + 2000000, {.depthwise = true}, counts);
    one<T>(static_cast<uint64_t>(s) + 3000000, {.few_ci = true}, counts);
  }
}

}  // namespace

TEST_CASE("kernels on the CPU give the scalar scan's bits", "[cuda][kernels]") {
  Counts counts;
  many<float>(1, 90, &counts);
  many<F16>(10001, 60, &counts);
  many<Bf16>(20001, 60, &counts);
  many<double>(30001, 60, &counts);
  // the draw reaches every form often
  CHECK(counts.direct == 1080);
  CHECK(counts.cell > 100);
  CHECK(counts.cell_sliding > 100);
  CHECK(counts.cell_whole > 40);
  CHECK(counts.pixel > 100);
  CHECK(counts.pixel_vector > 40);
  CHECK(counts.shuffle > 100);
  CHECK(counts.tensor > 100);
  WARN("problems: direct " << counts.direct << ", cell " << counts.cell << " + sliding " << counts.cell_sliding
                           << " (whole stores " << counts.cell_whole << ")"
                           << ", pixel " << counts.pixel << " + vector " << counts.pixel_vector << ", shuffle "
                           << counts.shuffle << " + tensor " << counts.tensor);
}

TEST_CASE("data gradients: the same kernels, outputs left out between two", "[cuda][kernels][gradient]") {
  Counts counts;
  const auto one_of = [&](auto t, uint64_t seed, Limits limits) {
    Random r(seed);
    INFO("seed " << seed);
    ctconv_cuda_problem problem = random_problem(r, dtype_of<decltype(t)>(), limits);
    problem.written = CTCONV_CUDA_WRITES_X;
    agree<decltype(t)>(problem, r, &counts);
  };
  for (uint64_t s = 0; s < 60; ++s) {
    for (const Limits& limits : {Limits{}, Limits{.depthwise = true}, Limits{.k_is_s = true, .tails = false}}) {
      one_of(float{}, s, limits);
      one_of(F16{}, s + 1000, limits);
      one_of(Bf16{}, s + 2000, limits);
      one_of(double{}, s + 3000, limits);
    }
  }
  CHECK(counts.direct == 720);
  CHECK(counts.cell > 50);
  CHECK(counts.cell_sliding > 20);
  CHECK(counts.pixel + counts.pixel_vector > 50);
}

TEST_CASE("kernels on the CPU: problems of the tests' bench, as the library hands them over", "[cuda][kernels]") {
  Random r(17);
  rig::Limits limits;
  limits.layouts = rig::Layouts::kSlices;
  limits.extents = {30, 8, 4};
  limits.far = 15;  // regions of the output, before and behind all that x reaches
  limits.products = 1e4;
  limits.written = {Written::kY, Written::kY, Written::kX};
  Counts counts;
  for (int round = 0; round < 400; ++round) {
    const Problem p = rig::random_problem(r, limits);
    const int32_t bias = p.epilogue.bias ? 1 + round % 2 : CTCONV_CUDA_BIAS_NONE;
    const ctconv_cuda_problem record = cuda_problem(p, bias, 1 + round % 3);
    REQUIRE(rig::problem_of(record) == p);
    INFO("round " << round << ", dtype " << record.dtype);
    if (p.types.x == Dtype::kF32) agree<float>(record, r, &counts);
    if (p.types.x == Dtype::kF16) agree<F16>(record, r, &counts);
    if (p.types.x == Dtype::kBf16) agree<Bf16>(record, r, &counts);
    if (p.types.x == Dtype::kF64) agree<double>(record, r, &counts);
  }
  CHECK(counts.direct == 400);
  CHECK(counts.cell > 20);
  CHECK(counts.pixel > 20);
}

TEST_CASE("epilogue: interior, rim and tail", "[cuda][kernels]") {
  const auto one_case = [](auto t, uint64_t seed) {
    using T = decltype(t);
    Random r(seed);
    Case<T> c;
    c.p = random_problem(r, dtype_of<T>(), {});
    if (r() % 2) {  // no rim, no tail, dense: the vector ways
      for (auto& a : c.p.axis) {
        a.tail = 0;
        a.lo = 0;
        a.o = (a.i - 1) * a.s + a.d * (a.k - 1) + 1;
      }
      int64_t ey[5];
      extents_of(c.p, true, ey);
      set_strides(r() % 2 ? Layout::kFirst : Layout::kLast, ey, c.p.y, 0);
    }
    fill(r, &c, false, false);
    INFO("seed " << seed);
    const bool finish_interior = r() % 3 != 0;
    Box interior;
    bool empty = false;
    for (int a = 0; a < 3; ++a) {
      const DgradAxis axis = dgrad_axis(c.p.axis[a]);
      interior.lo[a] = axis.begin;
      interior.hi[a] = axis.end;
      empty = empty || axis.empty();
    }
    if (empty) interior = {};
    // what cuDNN would leave behind: sums rounded once, in the interior only
    std::vector<T> expected(c.y);
    int64_t reached = 0;
    for_each_output(c.p, [&](int64_t at, bool core, int64_t n, int64_t ch, int64_t d, int64_t h, int64_t w) {
      const int64_t v[3] = {d, h, w};
      bool inside = core;
      for (int a = 0; a < 3; ++a) inside = inside && v[a] >= interior.lo[a] && v[a] < interior.hi[a];
      const auto i = static_cast<size_t>(at);
      const auto sum = core ? plain_sum(c, n, ch, d, h, w) : Accumulator<T>(0);
      reached += core && !inside && sum != 0;  // the rim meets no tap
      if (inside) c.y[i] = narrow<T>(sum);
      expected[i] = !core    ? narrow<T>(0)
                    : inside ? (finish_interior ? finish(c, ch, widen(c.y[i])) : c.y[i])
                             : finish(c, ch, Accumulator<T>(0));
    });
    REQUIRE(reached == 0);
    run_epilogue(c, interior, finish_interior, r() % 4 == 0);
    int64_t wrong = 0;
    for (size_t i = 0; i < c.y.size(); ++i) wrong += !same_bits(c.y[i], expected[i]);
    REQUIRE(wrong == 0);
  };
  for (uint64_t s = 0; s < static_cast<uint64_t>(rig::drawn(120)); ++s) {
    one_case(float{}, s);
    one_case(F16{}, s + 1000);
    one_case(Bf16{}, s + 2000);
    one_case(double{}, s + 3000);
  }
}

TEST_CASE("backward-data geometry obeys cuDNN's rule and the defining equation", "[cuda][geometry]") {
  Random r(7);
  for (int round = 0; round < 20000; ++round) {
    ctconv_cuda_axis a{};
    a.i = draw(r, 1, 9);
    a.s = draw(r, 1, 6);
    a.k = draw(r, 1, 7);
    a.d = draw(r, 1, 5);
    a.lo = draw(r, -8, 12);
    a.o = draw(r, 1, 80);
    const DgradAxis g = dgrad_axis(a);
    const auto meets_any = [&](int64_t o) {
      int64_t i;
      for (int64_t t = 0; t < a.k; ++t) {
        if (meets(a, o, t, &i)) return true;
      }
      return false;
    };
    for (int64_t o = 0; o < a.o; ++o) {
      if (g.empty() || o < g.begin || o >= g.end) REQUIRE_FALSE(meets_any(o));
    }
    if (g.empty()) continue;
    REQUIRE(g.pre >= 0);
    REQUIRE(g.post >= 0);
    REQUIRE(g.pre - a.lo == g.begin);  // i*s + t*d - pre is the row inside the interior
    REQUIRE(g.end <= a.o);
    const int64_t rows = g.end - g.begin - a.d * (a.k - 1) - 1;
    REQUIRE((rows + g.pre + g.post) / a.s + 1 == a.i);
    // equal pads wherever the rule allows them
    if (g.post < g.pre) REQUIRE((rows + 2 * g.pre) / a.s + 1 > a.i);
  }
}

TEST_CASE("a strided data gradient's geometry obeys cuDNN's rule and the defining equation", "[cuda][geometry]") {
  Random r(10);
  for (int round = 0; round < 20000; ++round) {
    ctconv_cuda_problem p{};
    p.written = CTCONV_CUDA_WRITES_X;
    for (auto& a : p.axis) a = {1, 1, 1, 1, 1, 0, 0};
    ctconv_cuda_axis& a = p.axis[2];
    a.i = draw(r, 2, 9);
    a.s = draw(r, 2, 6);
    a.k = draw(r, 1, 7);
    a.d = draw(r, 1, 5);
    a.lo = draw(r, -8, 12);
    a.o = draw(r, 1, 80);
    const DgradAxis g = forward_axis(exchanged(p).axis[2]);
    for (int64_t i = 0; i < a.i; ++i) {  // every output that a tap meets is among the rows cuDNN reads
      for (int64_t t = 0; t < a.k; ++t) {
        const int64_t o = i * a.s + t * a.d - a.lo;
        if (o < 0 || o >= a.o) continue;
        REQUIRE_FALSE(g.empty());
        REQUIRE(o >= g.begin);
        REQUIRE(o < g.end);
      }
    }
    if (g.empty()) continue;
    REQUIRE(g.pre >= 0);
    REQUIRE(g.post >= 0);
    REQUIRE(g.end <= a.o);
    REQUIRE(g.pre - a.lo == g.begin);  // i*s + t*d - pre is the row inside what is read
    const int64_t rows = g.end - g.begin - a.d * (a.k - 1) - 1;
    REQUIRE((rows + g.pre + g.post) / a.s + 1 == a.i);
  }
}

TEST_CASE("taps of an axis equal a scan", "[cuda][geometry]") {
  Random r(8);
  for (int round = 0; round < 20000; ++round) {
    ctconv_cuda_axis a{};
    a.i = draw(r, 1, 9);
    a.s = draw(r, 1, 12);
    a.k = draw(r, 1, 9);
    a.d = draw(r, 1, 12);
    a.lo = draw(r, -8, 30);
    a.o = draw(r, 1, 80);
    const auto narrow_map = AxisMap<int32_t>::of(a);
    const auto wide_map = AxisMap<int64_t>::of(a);
    const int64_t o = draw(r, 0, a.o - 1);
    const auto taps = narrow_map.at(static_cast<int32_t>(o));
    const auto wide = wide_map.at(o);
    const auto phase = narrow_map.phase(static_cast<int32_t>(o));
    int64_t found = 0, in_phase = 0, i;
    for (int64_t t = 0; t < a.k; ++t) {
      const int64_t v = o + a.lo - t * a.d;
      if ((v % a.s + a.s) % a.s == 0) {
        REQUIRE(phase.t + in_phase * narrow_map.tap_step == t);
        REQUIRE((phase.i - in_phase * narrow_map.input_step) * a.s == v);
        ++in_phase;
      }
      if (!meets(a, o, t, &i)) continue;
      REQUIRE(taps.t + found * narrow_map.tap_step == t);
      REQUIRE(taps.i - found * narrow_map.input_step == i);
      REQUIRE(wide.t + found * wide_map.tap_step == t);
      ++found;
    }
    REQUIRE(taps.count == found);
    REQUIRE(wide.count == found);
    REQUIRE(phase.count == in_phase);
  }
}

TEST_CASE("activations equal the library's", "[cuda][kernels]") {
  Random r(9);
  for (int round = 0; round < 20000; ++round) {
    const auto bits = static_cast<uint32_t>(r());
    const auto v = std::bit_cast<float>(bits);
    const auto wide = std::bit_cast<double>(r());
    const float usual = static_cast<float>(static_cast<int64_t>(r() % 4000) - 2000) * 0.01f;
    for (int32_t kind = 0; kind < 6; ++kind) {
      ctconv_cuda_problem p{};
      p.activation = kind;
      p.alpha = kind == 5 ? -1.5 : 0.01;
      p.beta = 2.25;
      const ActParams act{static_cast<Act>(kind), p.alpha, p.beta};
      REQUIRE(same_bits(activate<float>(act, v), library_activation<float>(p, v)));
      REQUIRE(same_bits(activate<float>(act, usual), library_activation<float>(p, usual)));
      REQUIRE(same_bits(activate<double>(act, wide), library_activation<double>(p, wide)));
      REQUIRE(same_bits(activate<double>(act, double{usual}), library_activation<double>(p, double{usual})));
    }
  }
}

TEST_CASE("the divider is exact below 2^31", "[cuda][kernels]") {
  constexpr uint32_t kMost = 0x7fffffff;
  int64_t wrong = 0;
  const auto check = [&](uint32_t d) {
    const Divider divider = Divider::of(d);
    const auto one = [&](uint64_t n) {
      if (n > kMost) return;
      auto rest = static_cast<uint32_t>(n);
      const uint32_t r = divider.split(&rest);
      wrong += divider.divide(static_cast<uint32_t>(n)) != n / d || rest != n / d || r != n % d;
    };
    // an error shows first just below a multiple of d, at the top of the range
    for (uint64_t m = 0; m < 40; ++m) {
      for (const uint64_t multiple : {m * d, (kMost / d - std::min<uint64_t>(m, kMost / d)) * d}) {
        one(multiple);
        one(multiple + d - 1);
        one(multiple + 1);
      }
      one(kMost - m);
    }
  };
  for (uint32_t d = 1; d <= 5000; ++d) check(d);
  for (uint32_t l = 1; l < 31; ++l) {
    check((1u << l) - 1);
    check(1u << l);
    check((1u << l) + 1);
  }
  check(kMost);
  check(1u << 31);
  Random r(11);
  for (int round = 0; round < 20000; ++round) check(1 + static_cast<uint32_t>(r() % kMost));
  CHECK(wrong == 0);
}

}  // namespace ctconv::cuda::testing
