// SPDX-License-Identifier: Apache-2.0
// The GEMM kernels' own source on the CPU: every block, every thread between two barriers, clusters too, against the
// scalar scan. gemm by bits; gemm-split and gemm-tensor by == on small integers.
#include <cstdlib>

#include "cuda/gemm_forms.h"
#include "cuda/kernels/gemm_fma.h"
#include "cuda/kernels/gemm_tensor.h"
#include "tests/cuda/on_cpu.h"

namespace ctconv::cuda::testing {
namespace {

struct Raw {
  explicit Raw(size_t bytes) : memory(static_cast<unsigned char*>(std::aligned_alloc(128, (bytes + 127) / 128 * 128))) {
    std::memset(memory, 0xff, bytes);
  }
  Raw(const Raw&) = delete;
  Raw(Raw&& o) noexcept : memory(o.memory) { o.memory = nullptr; }
  ~Raw() { std::free(memory); }
  unsigned char* memory;
};

// One rank of a cluster: everything up to the sums in its shared memory.
template <class Kernel>
typename Kernel::Shared rank_sums(const GemmParams& p, const GemmTile& tile, const GemmPhase& f, Raw& raw) {
  typename Kernel::Shared s = [&] {
    if constexpr (requires { Kernel::kDepth; })
      return Kernel::carve(raw.memory, p.most_taps);
    else
      return Kernel::carve(raw.memory);
  }();
  std::vector<typename Kernel::Registers> r(Kernel::kThreads);
  int32_t first, last;
  Kernel::steps(p, f, tile.rank, &first, &last);
  const auto all = [&](auto&& body) {
    for (int32_t t = 0; t < Kernel::kThreads; ++t) body(t, r[static_cast<size_t>(t)]);
  };
  if constexpr (requires { Kernel::kDepth; }) {
    bool plain = true;
    all([&](int32_t t, auto&) { plain = !Kernel::begin(p, tile, f, t, s) && plain; });
    all([&](int32_t t, auto& mine) { Kernel::start(p, tile, f, first, t, s, mine); });
    for (int32_t step = first; step < last; ++step) {
      bool finite = true;
      const int32_t buffer = (step - first) % Kernel::kStages, slot = (step - first) % Kernel::kSlots;
      if constexpr (Kernel::kAsync) {
        all([&](int32_t t, auto& mine) { Kernel::fetch_async(p, buffer, slot, t, s, mine); });
        all([&](int32_t t, auto&) { finite = Kernel::landed_finite(buffer, t, s) && finite; });
      } else {
        all([&](int32_t t, auto& mine) { finite = Kernel::fetch(p, slot, t, s, mine) && finite; });
        all([&](int32_t t, auto& mine) { Kernel::stash(buffer, t, s, mine); });
      }
      all([&](int32_t t, auto& mine) {
        plain&& finite ? Kernel::multiply(buffer, t, s, mine)
                       : Kernel::multiply_honestly(p, f, step, buffer, t, s, mine);
      });
      if (buffer == 0) {
        all([&](int32_t t, auto&) { Kernel::plan_rows(p, f, first, step - first + Kernel::kStages, t, s); });
      }
    }
    all([&](int32_t t, auto& mine) { Kernel::stage(p, t, s, mine); });
  } else {
    all([&](int32_t t, auto& mine) { Kernel::begin(p, tile, f, first, t, s, mine); });
    for (int32_t step = first; step < last; ++step) {
      all([&](int32_t t, auto& mine) { Kernel::fetch(p, tile, f, step % 3, t, s, mine); });
      all([&](int32_t t, auto& mine) { Kernel::multiply(step % 3, t, s, mine); });
    }
    all([&](int32_t t, auto& mine) { Kernel::stage_sums(p, t, s, mine); });
  }
  return s;
}

template <class T, class Kernel>
void run_blocks(const GemmParams& p) {
  const GemmShape shape = gemm_shape(p, {Kernel::kBM, Kernel::kBN});
  const int32_t wide = gemm_tile_columns<Kernel::kBN>(p), tiles_n = (p.columns + wide - 1) / wide;
  for (int32_t phase = 0; phase < shape.grid_z; ++phase) {
    const GemmPhase f = gemm_phase(p, phase);
    REQUIRE(f.count <= p.most_taps);
    for (int32_t y = 0; y < shape.grid_y; ++y) {
      for (int32_t m = 0; m < shape.grid_x; ++m) {
        if (m * Kernel::kBM >= f.positions) continue;
        std::vector<Raw> raw;
        std::vector<typename Kernel::Shared> shared;
        for (int32_t rank = 0; rank < p.split; ++rank) {
          raw.emplace_back(Kernel::shared_bytes(p.most_taps));
          shared.push_back(rank_sums<Kernel>(p, {m, y % tiles_n, y / tiles_n, phase, rank}, f, raw.back()));
        }
        const auto sums = [&](int32_t r) { return shared[r < p.split ? static_cast<size_t>(r) : 0].sums; };
        for (int32_t rank = 0; p.split > 1 && rank < p.split; ++rank) {
          for (int32_t t = 0; t < Kernel::kThreads; ++t) gemm_reduce<Kernel, Accumulator<T>>(p, rank, t, sums);
        }
        for (int32_t rank = 0; rank < p.split; ++rank) {
          const auto& s = shared[static_cast<size_t>(rank)];
          const GemmTile tile{m, y % tiles_n, y / tiles_n, phase, rank};
          for (int32_t t = 0; t < Kernel::kThreads; ++t) {
            gemm_write<T, Kernel>(p, tile, t, {s.place, s.y_offset, s.column, s.sums});
          }
        }
      }
    }
  }
}

template <class T>
std::vector<T> reordered(const Case<T>& c, RelayoutParams p, size_t bytes) {
  std::vector<T> to(bytes / sizeof(T), poison<T>());
  p.from = c.x.data();
  p.to = to.data();
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  const auto tiles = [](int32_t extent) { return (extent + kRelayoutTile - 1) / kRelayoutTile; };
  for (int32_t n = 0; n < p.n; ++n) {
    for (int32_t tc = 0; tc < tiles(relayout_channels(p)); ++tc) {
      for (int32_t tp = 0; tp < tiles(p.positions); ++tp) {
        RelayoutTile<Bits> tile;
        for (int32_t t = 0; t < kRelayoutTile * kRelayoutRows; ++t) {
          relayout_load<Bits>(p, n, tc, tp, t % kRelayoutTile, t / kRelayoutTile, tile);
        }
        for (int32_t t = 0; t < kRelayoutTile * kRelayoutRows; ++t) {
          relayout_store<Bits>(p, n, tc, tp, t % kRelayoutTile, t / kRelayoutTile, tile);
        }
      }
    }
  }
  return to;
}

template <class T, class F>
void run_form(Case<T>& c, const GemmForm& form, Packing packing, int32_t split, F&& blocks) {
  const std::vector<T> packed = packed_weights(c, packing);
  const Aligned<T> w(packed);
  const std::vector<T> moved = form.moves_x ? reordered(c, form.relayout, form.workspace) : c.x;
  const Aligned<T> x(moved);
  Aligned<T> y(c.y);
  GemmParams p = form.params;
  p.x = x.data;
  p.w = w.data;
  p.bias = c.bias_data();
  p.y = y.data;
  p.split = split;
  std::vector<Accumulator<T>> sums;
  if (form.folds) {
    sums.assign((form.workspace - form.sums_at) / sizeof(Accumulator<T>), poison<Accumulator<T>>());
    p.bias = nullptr;
    p.y = sums.data();
  }
  blocks(p);
  if (form.folds) {
    FoldParams f = form.fold;
    f.sums = sums.data();
    f.bias = c.bias_data();
    f.y = y.data;
    for (int32_t e = 0; e < f.elements; ++e) fold_element<T>(f, e);
  }
  std::copy(y.data, y.data + c.y.size(), c.y.begin());
}

struct Counts {
  int fma = 0, split = 0, tensor = 0, moved = 0, vector = 0, merged = 0, runs = 0, fold = 0;
};

template <class T>
void run_tensor(const GemmParams& p, uint64_t pick) {
  switch (pick % 5) {
    case 0:
      return run_blocks<T, GemmTensor<T, 128, 128, 2, 4, 3>>(p);
    case 1:
      return run_blocks<T, GemmTensor<T, 128, 64, 4, 2, 3>>(p);
    case 2:
      return run_blocks<T, GemmTensor<T, 64, 64, 2, 2, 4>>(p);
    case 3:
      return run_blocks<T, GemmTensor<T, 128, 32, 4, 1, 3>>(p);
    default:
      return run_blocks<T, GemmTensor<T, 128, 8, 4, 1, 4>>(p);
  }
}

template <class T>
void run_fma(const GemmParams& p, uint64_t pick) {
  if constexpr (std::is_same_v<T, float>) {
    if (pick % 4 == 0) return run_blocks<T, GemmFma<T, 128, 128, 8, 8>>(p);
    if (pick % 4 == 1) return run_blocks<T, GemmFma<T, 128, 64, 8, 4>>(p);
    if (pick % 4 == 2) return run_blocks<T, GemmFma<T, 128, 32, 4, 4>>(p);
    if (pick % 8 == 3) return run_blocks<T, GemmFma<T, 128, 96, 4, 12>>(p);
  }
  run_blocks<T, GemmFma<T, 64, 64, 4, 4>>(p);
}

template <class T>
void one(uint64_t seed, Limits limits, Counts* counts) {
  Random r(seed);
  Case<T> c;
  c.p = random_problem(r, dtype_of<T>(), limits);
  if (r() % 2) {
    c.p.co = draw(r, 1, 3) * 8;
    c.p.ci = draw(r, 1, 3) * 8;
  }
  if (r() % 2) {  // strides that fit what was redrawn, dense
    int64_t ex[5], ey[5];
    extents_of(c.p, false, ex);
    extents_of(c.p, true, ey);
    const Layout layout = r() % 2 ? Layout::kFirst : Layout::kLast;
    set_strides(layout, ex, c.p.x, 0);
    set_strides(layout, ey, c.p.y, 0);
  } else {
    int64_t ex[5], ey[5];
    extents_of(c.p, false, ex);
    extents_of(c.p, true, ey);
    set_strides(r() % 2 ? Layout::kFirstPadded : Layout::kLastPadded, ex, c.p.x, draw(r, 1, 16));
    set_strides(r() % 2 ? Layout::kFirstPadded : Layout::kLastPadded, ey, c.p.y, draw(r, 1, 16));
  }
  const int64_t ew[6] = {c.p.groups, c.p.ci, c.p.co, c.p.axis[0].k, c.p.axis[1].k, c.p.axis[2].k};
  int64_t step = 1;
  for (const int a : {5, 4, 3, 2, 1, 0}) {
    c.p.w[a] = step;
    step *= ew[a];
  }
  if (limits.gradient) c.p.written = CTCONV_CUDA_WRITES_X;
  c.take(ctconv_cuda_problem(c.p));
  fill(r, &c, false, r() % 4 == 0);
  INFO("seed " << seed << ", dtype " << c.p.dtype);
  const auto clean = c.y;
  GemmForm form;
  REQUIRE(gemm_form(c.p, GemmMath::kFma, &form) == "");
  const uint64_t pick = r();
  run_form(c, form, form.packing, 1, [&](const GemmParams& p) { run_fma<T>(p, pick); });
  check_core(c, expected_core(c), "gemm");
  counts->merged += form.params.merged;
  counts->runs += form.params.run > 1;
  ++counts->fma;
  counts->moved += form.moves_x;
  counts->vector += form.params.vector;

  fill(r, &c, true, false);  // small integers: exact in TF32 and in any order
  const auto expected = expected_core(c);
  c.y = clean;
  const int32_t split = 1 << draw(r, 1, 3);
  run_form(c, form, form.packing, split, [&](const GemmParams& p) { run_fma<T>(p, pick); });
  check_core(c, expected, "gemm-split");
  ++counts->split;
  if (fold_form(c.p, GemmMath::kFma, &form).empty()) {
    c.y = clean;
    run_form(c, form, form.packing, r() % 2 ? 1 : split, [&](const GemmParams& p) { run_fma<T>(p, pick); });
    check_core(c, expected, "fold");
    ++counts->fold;
  }
  if constexpr (!std::is_same_v<T, double>) {
    REQUIRE(gemm_form(c.p, GemmMath::kTensor, &form) == "");
    c.y = clean;
    run_form(c, form, form.packing, r() % 2 ? 1 : split, [&](const GemmParams& p) { run_tensor<T>(p, pick); });
    check_core(c, expected, "gemm-tensor");
    if (fold_form(c.p, GemmMath::kTensor, &form).empty()) {
      c.y = clean;
      run_form(c, form, form.packing, r() % 2 ? 1 : split, [&](const GemmParams& p) { run_tensor<T>(p, pick); });
      check_core(c, expected, "fold-tensor");
      ++counts->fold;
    }
    ++counts->tensor;
    counts->moved += form.moves_x;
    counts->vector += form.params.vector;
  }
}

template <class T>
void many(int from, int count, Counts* counts) {
  for (int s = from; s < from + count; ++s) {
    one<T>(static_cast<uint64_t>(s), {}, counts);
    one<T>(static_cast<uint64_t>(s) + 1000000, {.k_is_s = true, .tails = false}, counts);
    one<T>(static_cast<uint64_t>(s) + 2000000, {.few_ci = true}, counts);
  }
}

}  // namespace

TEST_CASE("gemm kernels on the CPU give the scalar scan's sums", "[cuda][kernels][gemm]") {
  Counts counts;
  many<float>(1, 12, &counts);
  many<F16>(10001, 8, &counts);
  many<Bf16>(20001, 8, &counts);
  many<double>(30001, 6, &counts);
  CHECK(counts.fma == 102);
  CHECK(counts.tensor == 84);
  CHECK(counts.moved > 40);
  CHECK(counts.vector > 10);
  CHECK(counts.merged > 20);
  CHECK(counts.runs > 10);
  CHECK(counts.fold > 100);
}

TEST_CASE("gemm kernels on the CPU: data gradients", "[cuda][kernels][gemm][gradient]") {
  Counts counts;
  for (uint64_t s = 1; s < 9; ++s) {
    one<float>(s, {.gradient = true}, &counts);
    one<F16>(s + 100, {.gradient = true}, &counts);
    one<Bf16>(s + 200, {.k_is_s = true, .gradient = true}, &counts);
    one<double>(s + 300, {.few_ci = true, .gradient = true}, &counts);
  }
  CHECK(counts.fma == 32);
  CHECK(counts.tensor == 24);
  CHECK(counts.moved > 5);
}

TEST_CASE("a gemm block of many steps: long K, ragged channels, all phases", "[cuda][kernels][gemm]") {
  Random r(77);
  Case<float> c;
  c.p = random_problem(r, CTCONV_CUDA_F32, {});
  c.p.n = 2;
  c.p.groups = 1;
  c.p.ci = 150;
  c.p.co = 70;
  c.p.rank = 2;
  c.p.axis[0] = {1, 1, 1, 1, 1, 0, 0};
  c.p.axis[1] = {9, 18, 4, 2, 1, 1, 0};
  c.p.axis[2] = {11, 22, 4, 2, 1, 1, 0};
  int64_t ex[5], ey[5];
  extents_of(c.p, false, ex);
  extents_of(c.p, true, ey);
  set_strides(Layout::kLast, ex, c.p.x, 0);
  set_strides(Layout::kFirst, ey, c.p.y, 0);
  int64_t step = 1;
  const int64_t ew[6] = {1, 150, 70, 1, 4, 4};
  for (const int a : {5, 4, 3, 2, 1, 0}) {
    c.p.w[a] = step;
    step *= ew[a];
  }
  fill(r, &c, false, false);
  const auto clean = c.y;
  const auto expected = expected_core(c);
  GemmForm form;
  REQUIRE(gemm_form(c.p, GemmMath::kFma, &form) == "");
  CHECK(form.moves_x);
  for (uint64_t tile = 0; tile < 4; ++tile) {
    c.y = clean;
    run_form(c, form, form.packing, 1, [&](const GemmParams& p) { run_fma<float>(p, tile); });
    check_core(c, expected, "gemm");
  }
}

TEST_CASE("a sum that underflows to -0 under a bias of -0 keeps its sign", "[cuda][kernels][gemm]") {
  const auto check = [](auto t, int64_t ci, int64_t k) {
    using T = decltype(t);
    Case<T> c;
    ctconv_cuda_problem& p = c.p;
    p.dtype = dtype_of<T>();
    p.rank = 1;
    p.n = 1;
    p.groups = 1;
    p.ci = ci;
    p.co = 8;
    for (auto& a : p.axis) a = {1, 1, 1, 1, 1, 0, 0};
    p.axis[2] = {4, 4 + k - 1, k, 1, 1, 0, 0};
    int64_t ex[5], ey[5];
    extents_of(p, false, ex);
    extents_of(p, true, ey);
    set_strides(Layout::kFirst, ex, p.x, 0);
    set_strides(Layout::kFirst, ey, p.y, 0);
    int64_t step = 1;
    const int64_t ew[6] = {1, ci, 8, 1, 1, k};
    for (const int a : {5, 4, 3, 2, 1, 0}) {
      p.w[a] = step;
      step *= ew[a];
    }
    p.bias = CTCONV_CUDA_BIAS_ELEMENT;
    p.bias_stride = 1;
    Random r(1);
    fill(r, &c, true, false);
    const double tiny = sizeof(T) == 8 ? 1e-200 : 1e-30;
    for (T& v : c.x) v = narrow<T>(static_cast<Accumulator<T>>(-tiny));
    for (T& v : c.w) v = narrow<T>(static_cast<Accumulator<T>>(tiny));
    for (size_t i = 0; i < c.bias.size(); ++i) {
      c.bias[i] = Accumulator<T>(-0.0);
      c.bias_element[i] = narrow<T>(c.bias[i]);
    }
    const auto clean = c.y;
    GemmForm form;
    REQUIRE(gemm_form(p, GemmMath::kFma, &form) == "");
    run_form(c, form, form.packing, 1, [&](const GemmParams& q) { run_fma<T>(q, 2); });
    check_core(c, expected_core(c), "gemm");
  };
  check(float{}, 1, 2), check(float{}, 3, 1), check(float{}, 8, 1);
  check(Bf16{}, 3, 1), check(double{}, 1, 2);
}

TEST_CASE("gemm refuses what its numbers cannot hold", "[cuda][gemm]") {
  ctconv_cuda_problem p{};
  p.dtype = CTCONV_CUDA_F32;
  p.rank = 2;
  p.n = 1;
  p.groups = 1;
  p.ci = 8;
  p.co = 8;
  for (auto& a : p.axis) a = {1, 1, 1, 1, 1, 0, 0};
  p.axis[2] = {16, 16, 1, 1, 1, 0, 0};
  for (auto& s : p.x) s = 1;
  for (auto& s : p.y) s = 1;
  GemmForm form;
  CHECK(gemm_form(p, GemmMath::kFma, &form).empty());
  auto q = p;
  q.axis[2] = {16, 2000 + 15, 2000, 1, 1, 0, 0};
  CHECK(gemm_form(q, GemmMath::kFma, &form).find("taps") != std::string::npos);
  q = p;
  q.x[0] = int64_t{1} << 40;
  q.n = 2;
  CHECK(gemm_form(q, GemmMath::kFma, &form).find("31 bits") != std::string::npos);
  q = p;
  q.axis[2] = {2, 70000, 1, 70000, 1, 0, 0};
  CHECK(gemm_form(q, GemmMath::kFma, &form).find("phases") != std::string::npos);
  q = p;
  q.axis[2].i = 0;
  CHECK(gemm_form(q, GemmMath::kFma, &form) == "x is empty");
  q = p;
  q.dtype = CTCONV_CUDA_F64;
  CHECK(gemm_form(q, GemmMath::kTensor, &form).find("f64") != std::string::npos);
  q = p;
  q.groups = 4096;
  q.ci = 1024;
  q.x[4] = 1;
  q.dtype = CTCONV_CUDA_F16;
  CHECK(gemm_form(q, GemmMath::kTensor, &form).find("channel tiles") != std::string::npos);
  q = p;
  q.co = 8;
  q.groups = 70000;
  q.x[4] = 1;
  CHECK_FALSE(gemm_form(q, GemmMath::kFma, &form).empty());
}

}  // namespace ctconv::cuda::testing
