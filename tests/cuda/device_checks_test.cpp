// SPDX-License-Identifier: Apache-2.0
// The checks that the GPU runs rest on (tests/cuda/gpu), each shown to count what is there, on host memory.
//
//   fill_on_device: every element where its strides say, by value_at;   counts: exact, in every type and size
//   truth_at:       equal to the scalar scan of random_problem.h over the same made-up values
#include "tests/cuda/gpu/device_checks.h"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "tests/cuda/gpu/reference64.h"

using namespace ctconv::cuda;
using namespace ctconv::cuda::testing;

namespace {

template <class T>
Fill fill_of(const ctconv_cuda_problem& p, const Seeds& s) {
  Fill f{dtype_of<T>(), {}, {}, s.x, s.eight_bits};
  extents_of(p, false, f.extent);
  for (int a = 0; a < 5; ++a) f.stride[a] = p.x[a];
  return f;
}

}  // namespace

TEST_CASE("gpu checks: made-up data keeps to its range, and eight bits are held exactly by half types") {
  std::set<float> seen;
  bool beyond_tf32 = false;
  for (uint64_t i = 0; i < 4000; ++i) {
    const float coarse = value_at(7, true, i), real = value_at(7, false, i);
    REQUIRE(widen(narrow<F16>(coarse)) == coarse);
    REQUIRE(widen(narrow<Bf16>(coarse)) == coarse);
    REQUIRE((real >= -1 && real < 1));
    uint32_t bits;
    std::memcpy(&bits, &real, 4);
    beyond_tf32 = beyond_tf32 || (bits & 0x1fff) != 0;
    seen.insert(coarse);
  }
  CHECK(seen.size() == 255);
  CHECK(beyond_tf32);
  CHECK(value_at(7, false, 5) != value_at(8, false, 5));
}

TEST_CASE("gpu checks: a fill goes where the strides say; truth agrees with the scalar scan") {
  Random r(11);
  for (int round = 0; round < 40; ++round) {
    Limits limits;
    limits.tails = false;
    Case<double> c;
    c.p = random_problem(r, CTCONV_CUDA_F64, limits);
    c.p.activation = 0;
    c.p.bias = round % 2 ? CTCONV_CUDA_BIAS_ELEMENT : CTCONV_CUDA_BIAS_NONE;
    c.p.bias_stride = 1;
    fill(r, &c, false, false);
    const int64_t ew[6] = {c.p.groups, c.p.ci, c.p.co, c.p.axis[0].k, c.p.axis[1].k, c.p.axis[2].k};
    int64_t step = 1;
    for (int a = 5; a >= 0; --a) {
      c.p.w[a] = step;
      step *= ew[a];
    }
    const Seeds seeds = seeds_of(static_cast<uint64_t>(round), round % 3 == 0);
    fill_on_device(c.x.data(), fill_of<double>(c.p, seeds), nullptr);
    const Fill w{CTCONV_CUDA_F64, {1, 1, 1, 1, step}, {0, 0, 0, 0, 1}, seeds.w, seeds.eight_bits};
    fill_on_device(c.w.data(), w, nullptr);
    for (size_t i = 0; i < c.bias.size(); ++i) c.bias[i] = value_at(seeds.bias, seeds.eight_bits, i);
    const std::vector<int64_t> sample = sample_of(c.p, 3);
    const Truth truth = truth_of(c.p, seeds, sample, 2);
    std::vector<double> all;
    for_each_output(c.p, [&](int64_t, bool, int64_t n, int64_t ch, int64_t d, int64_t h, int64_t v) {
      all.push_back(finish(c, ch, plain_sum(c, n, ch, d, h, v)));
    });
    for (size_t e = 0; e < sample.size(); ++e) {
      const double error = std::fabs(truth.y[e] - all[static_cast<size_t>(sample[e])]);
      REQUIRE(error <= 1e-13 * (1 + truth.scale[e]));
    }
    REQUIRE(sample.front() == 0);
    REQUIRE(sample.back() == static_cast<int64_t>(all.size()) - 1);
  }
}

TEST_CASE("gpu checks: what is not finite, touched or different is counted exactly; gather takes what it is told") {
  std::vector<uint16_t> half(1000, 0x3c00), same;
  half[3] = 0x7c00;
  half[999] = 0xffff;
  half[7] = 0x7bff;  // Inf, NaN, the largest finite f16
  unsigned long long count = 0;
  count_not_finite(half.data(), CTCONV_CUDA_F16, 1000, &count, nullptr);
  CHECK(count == 2);
  half[3] = 0x7f80;
  half[7] = 0x7f7f;
  count = 0;
  count_not_finite(half.data(), CTCONV_CUDA_BF16, 1000, &count, nullptr);
  CHECK(count == 2);
  std::vector<float> single(77, 1.0f);
  single[76] = poison<float>();
  count = 0;
  count_not_finite(single.data(), CTCONV_CUDA_F32, 77, &count, nullptr);
  CHECK(count == 1);
  std::vector<double> twice(77, 1e308);
  twice[0] = -std::numeric_limits<double>::infinity();
  count = 0;
  count_not_finite(twice.data(), CTCONV_CUDA_F64, 77, &count, nullptr);
  CHECK(count == 1);
  std::vector<unsigned char> guard(300, 0xff);
  guard[0] = 0;
  guard[299] = 0xfe;
  count = 0;
  count_touched(guard.data(), guard.size(), &count, nullptr);
  CHECK(count == 2);
  same = half;
  same[998] ^= 1;
  count = 0;
  count_different(half.data(), same.data(), 2000, &count, nullptr);
  CHECK(count == 1);
  count = 0;
  count_different(half.data(), same.data(), 1996, &count, nullptr);
  count_different(half.data() + 996, same.data() + 996, 6, &count, nullptr);
  CHECK(count == 1);
  const std::vector<int64_t> offsets{76, 0, 1};
  double taken[3];
  twice[76] = 5;
  gather_on_device(taken, twice.data(), 8, offsets.data(), 3, nullptr);
  CHECK((taken[0] == 5 && std::isinf(taken[1]) && taken[2] == 1e308));
}
