// SPDX-License-Identifier: Apache-2.0
// Property: a scan answers what a loop over all elements would, for every 16-bit pattern and in every layout.
#include "src/kit/value_scan.h"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <numeric>

#include "src/base/half.h"
#include "src/base/pool.h"
#include "src/kit/tensor_rows.h"
#include "tests/rig/layouts.h"
#include "tests/rig/problems.h"

namespace ctconv::kit {
namespace {

using namespace rig;

// The ranges the engines ask for: all finite numbers, normal ones, two powers of two.
std::vector<Magnitudes> ranges(Dtype type) {
  std::vector<Magnitudes> all = {finite_magnitudes(type)};
  if (type == Dtype::kF16) return all;
  all.push_back({power_bits(type, -126), finite_magnitudes(type).most});
  all.push_back({power_bits(type, -62), power_bits(type, 60) - 1});
  return all;
}

// By comparing numbers.
bool within(Magnitudes range, Dtype type, float value) {
  const auto number = [&](uint32_t bits) {
    if (type == Dtype::kF32) return std::bit_cast<float>(bits);
    const auto half = static_cast<uint16_t>(bits);
    return type == Dtype::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
  };
  return value == 0 || (std::fabs(value) >= number(range.low) && std::fabs(value) <= number(range.most));
}

void store_bits(void* to, Dtype type, int64_t at, uint32_t bits) {
  if (type == Dtype::kF32) {
    static_cast<uint32_t*>(to)[at] = bits;
  } else {
    static_cast<uint16_t*>(to)[at] = static_cast<uint16_t>(bits);
  }
}

// Every element of x, by its place in memory.
std::vector<int64_t> places(const Problem& p) {
  std::vector<int64_t> all;
  each_element(p, Written::kX, [&](const Element& e) { all.push_back(place_of(p, Written::kX, e)); });
  return all;
}

}  // namespace

TEST_CASE("value scan: powers of two are where the ranges say") {
  CHECK(std::bit_cast<float>(power_bits(Dtype::kF32, -50)) == 0x1p-50f);
  CHECK(bf16_to_f32(static_cast<uint16_t>(power_bits(Dtype::kBf16, 44))) == 0x1p44f);
  CHECK(std::bit_cast<float>(finite_magnitudes(Dtype::kF32).most) == std::numeric_limits<float>::max());
  CHECK(f16_to_f32(static_cast<uint16_t>(finite_magnitudes(Dtype::kF16).most)) == 65504.0f);
}

TEST_CASE("value scan: every pattern of 16 bits") {
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16}) {
    for (const Magnitudes range : ranges(type)) {
      int64_t wrong = 0;
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<uint16_t>(bits);
        const float value = type == Dtype::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
        wrong += all_within(range, type, &half, 1) != within(range, type, value);
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("value scan: one value at any place of a dense array") {
  const uint32_t beyond[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0x00000001u, 0x807fffffu, 0x7e000000u};
  for (const Magnitudes range : ranges(Dtype::kF32)) {
    for (size_t size = 1; size < 40; ++size) {
      std::vector<uint32_t> values(size, 0x3f800000u);
      values[size / 2] = 0x80000000u;
      CHECK(all_within(range, Dtype::kF32, values.data(), static_cast<int64_t>(size)));
      for (size_t k = 0; k < size; ++k) {
        for (const uint32_t bits : beyond) {
          std::vector<uint32_t> one = values;
          one[k] = bits;
          const bool fits = within(range, Dtype::kF32, std::bit_cast<float>(bits));
          CHECK(all_within(range, Dtype::kF32, one.data(), static_cast<int64_t>(size)) == fits);
        }
      }
    }
  }
}

TEST_CASE("value scan: rows hold every element of a tensor once") {
  Rng rng(31);
  rig::Limits limits;
  for (int round = 0; round < 500; ++round) {
    const Problem p = random_problem(rng, limits);
    const TensorRows rows(p, p.x);
    std::vector<int64_t> seen, all = places(p);
    for (int64_t row = 0; row < rows.count(); ++row) {
      for (int64_t k = 0; k < rows.part[0].second; ++k) seen.push_back(rows.start(row) + k * rows.part[0].first);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());  // broadcast elements are one
    std::sort(seen.begin(), seen.end());
    CHECK(seen == all);
  }
}

TEST_CASE("value scan: one value at any place of any layout") {
  PoolHold hold;
  Rng rng(32);
  rig::Limits limits;
  limits.types = {uniform_types(Dtype::kF32), uniform_types(Dtype::kBf16), uniform_types(Dtype::kF16)};
  for (int round = 0; round < 400; ++round) {
    Problem p = random_problem(rng, limits);
    if (round % 20 == 0) {  // long rows, several tasks
      p = Problem();
      p.types = one_of(rng, limits.types);
      p.rank = 1;
      p.n = pick(rng, 1, 3);
      p.ci = pick(rng, 1, 3);
      p.axis[2].i = p.axis[2].o = pick(rng, 60000, 140000);
      lay_out(&p, round % 40 == 0, true);
    }
    Case c = make_case(p, rng, Values::kSmallInteger);
    const Dtype type = p.types.x;
    const Runner runner = pool_runner(1 + round % 3);
    const Magnitudes range = one_of(rng, ranges(type));
    bool broken = true;
    CHECK(input_within(range, p, c.x.data(type), runner, &broken));
    CHECK_FALSE(broken);
    const uint32_t sign = pick(rng, 0, 1) == 0 ? 0 : type == Dtype::kF32 ? 0x80000000u : 0x8000u;
    const uint32_t bits = range.low == 1 || pick(rng, 0, 1) == 0 ? range.most + 1 : range.low - 1;
    store_bits(c.x.data(type), type, one_of(rng, places(p)), bits | sign);
    CHECK_FALSE(input_within(range, p, c.x.data(type), runner, &broken));
    CHECK_FALSE(broken);
  }
}

}  // namespace ctconv::kit
