// SPDX-License-Identifier: Apache-2.0
// Measured constants against the data sheet: which number counts, what the text says, how much memory is taken.
#include "cuda/constants.h"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "cuda/engine.h"
#include "cuda/kernels/probe_launch.h"

namespace ctconv::cuda::testing {
namespace {

using Catch::Approx;

const DeviceModel kSheet = model_of(90, 132, 1.98e9, 4.8e12);

Measured good() {
  return {.copy = 0.9 * kSheet.bytes_per_second,
          .read = 4.5e12,
          .write = 4.1e12,
          .f32 = 0.97 * kSheet.f32,
          .f64 = 0.95 * kSheet.f64,
          .tf32 = 0.6 * kSheet.tf32,
          .f16 = 0.62 * kSheet.f16,
          .launch_seconds = 2.1e-6,
          .enqueue_seconds = 1.9e-6,
          .buffer_bytes = size_t{256} << 20,
          .l2_bytes = size_t{60} << 20,
          .seconds = 0.0123,
          .failure = {}};
}

bool says(const Constants& c, const std::string& text) { return c.text.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("measured numbers replace the data sheet, in sixteenths of it", "[cuda][constants]") {
  const Constants c = settle(kSheet, good());
  CHECK(c.model.bytes_per_second == Approx(kSheet.bytes_per_second * 14 / 16));  // 14.4
  CHECK(c.model.f32 == Approx(kSheet.f32));                                      // 15.5
  CHECK(c.model.f64 == Approx(kSheet.f64 * 15 / 16));
  CHECK(c.model.tf32 == Approx(kSheet.tf32 * 10 / 16));
  CHECK(c.model.f16 == Approx(kSheet.f16 * 10 / 16));
  CHECK(c.model.launch_seconds == Approx(2.5e-6 * 13 / 16));
  CHECK(c.model.capability == 90);
  CHECK(c.model.processors == 132);
  INFO(c.text);
  CHECK(c.text.find("measured in 12.3 ms: 4200 GB/s, f32 66.91 TFLOP/s") == 0);
  CHECK(says(c, "read 4500, write 4100 GB/s over 256 MiB"));
  CHECK(says(c, "enqueue 1.9 us"));
  CHECK_FALSE(says(c, "data sheet"));
  CHECK_FALSE(says(c, "below 4 x L2"));
  // noise within a step changes nothing
  Measured noisy = good();
  noisy.copy *= 1.005;
  noisy.f16 *= 0.995;
  CHECK(settle(kSheet, noisy).model.bytes_per_second == c.model.bytes_per_second);
  CHECK(settle(kSheet, noisy).model.f16 == c.model.f16);
}

TEST_CASE("a number out of bounds is the data sheet's, and said so", "[cuda][constants]") {
  Measured m = good();
  m.f32 = 1.6 * kSheet.f32;
  m.f64 = 0.1 * kSheet.f64;
  m.tf32 = 0;
  m.launch_seconds = 11e-6;
  m.buffer_bytes = size_t{128} << 20;
  const Constants c = settle(kSheet, m);
  CHECK(c.model.f32 == kSheet.f32);
  CHECK(c.model.f64 == kSheet.f64);
  CHECK(c.model.tf32 == kSheet.tf32);
  CHECK(c.model.launch_seconds == kSheet.launch_seconds);
  CHECK(c.model.f16 != kSheet.f16);
  INFO(c.text);
  CHECK(says(c,
             "; by data sheet: f32 measured as 1.6 of the data sheet, f64 measured as 0.1 of the data sheet, TF32 "
             "not measured, launch measured as 4.4 of the data sheet"));
  CHECK(says(c, "over 128 MiB (below 4 x L2)"));
  // the bounds themselves count
  m.f32 = 1.5 * kSheet.f32;
  m.f64 = 0.2 * kSheet.f64;
  m.launch_seconds = 10e-6;
  const Constants edge = settle(kSheet, m);
  CHECK(edge.model.f32 == Approx(1.5 * kSheet.f32));
  CHECK(edge.model.f64 == Approx(kSheet.f64 * 3 / 16));
  CHECK(edge.model.launch_seconds == Approx(10e-6));
}

TEST_CASE("nothing measured: the data sheet as it is, with the reason", "[cuda][constants]") {
  Measured m;
  m.failure = "stream: cudaErrorMemoryAllocation";
  const Constants c = settle(kSheet, m);
  CHECK(c.model.bytes_per_second == kSheet.bytes_per_second);
  CHECK(c.model.f16 == kSheet.f16);
  CHECK(c.model.launch_seconds == 2.5e-6);
  CHECK(c.text.find("data sheet (stream: cudaErrorMemoryAllocation): 4800 GB/s") == 0);
  Measured nan = good();
  nan.f32 = std::numeric_limits<double>::quiet_NaN();
  nan.f16 = std::numeric_limits<double>::infinity();
  CHECK(settle(kSheet, nan).model.f32 == kSheet.f32);
  CHECK(settle(kSheet, nan).model.f16 == kSheet.f16);
}

TEST_CASE("memory for the bandwidth: above 4 x L2, within a quarter of what is free", "[cuda][constants]") {
  constexpr size_t kMiB = size_t{1} << 20;
  CHECK(probe_bytes(60 * kMiB, 140000 * kMiB) == 256 * kMiB);
  CHECK(probe_bytes(40 * kMiB, 80000 * kMiB) == 176 * kMiB);
  CHECK(probe_bytes(2 * kMiB, 8000 * kMiB) == 64 * kMiB);
  CHECK(probe_bytes(500 * kMiB, 80000 * kMiB) == 1024 * kMiB);
  CHECK(probe_bytes(60 * kMiB, 600 * kMiB) == 150 * kMiB);  // smaller than 4 x L2
  CHECK(probe_bytes(60 * kMiB, 400 * kMiB) == 0);           // the cache would be measured
  CHECK(probe_bytes(0, 32 * kMiB) == 0);
  CHECK(probe_bytes(0, 64 * kMiB) == 16 * kMiB);
  for (const size_t l2 : {4 * kMiB, 50 * kMiB, 126 * kMiB}) CHECK(probe_bytes(l2, size_t{1} << 40) > 4 * l2);
}

TEST_CASE("a probe lasts as long as it was asked to at the data sheet's rate", "[cuda][constants]") {
  for (const ProbeMath math : {ProbeMath::kF32, ProbeMath::kF64, ProbeMath::kTf32, ProbeMath::kF16}) {
    const double rate = math == ProbeMath::kF32   ? kSheet.f32
                        : math == ProbeMath::kF64 ? kSheet.f64
                        : math == ProbeMath::kF16 ? kSheet.f16
                                                  : kSheet.tf32;
    const double round = probe_round_flop(math, kSheet.processors);
    CHECK(probe_rounds(round, rate, 0.3e-3) * round / rate == Approx(0.3e-3).epsilon(0.05));
  }
  CHECK(probe_rounds(1e12, 1e9, 1e-3) == 1);
  CHECK(probe_rounds(0, 1e9, 1e-3) == 1);
  CHECK(probe_rounds(1, 1e30, 1) == 1000000);
}

TEST_CASE("the launch cost of the device decides the estimate of small layers", "[cuda][constants]") {
  DeviceModel slow = kSheet;
  slow.launch_seconds = 5e-6;
  CHECK(estimate(slow, 0, 1, 0, 1, 1, 3) == Approx(15e-6));
  CHECK(estimate(kSheet, 0, 1, 0, 1, 1, 3) == Approx(7.5e-6));
}

TEST_CASE("without a device measuring fails with a reason", "[cuda][constants]") {
  if (check_device(0).ok()) SKIP("a device is here");
  const Measured m = measure_constants(kSheet);
  CHECK_FALSE(m.failure.empty());
  CHECK(m.copy == 0);
  CHECK(m.launch_seconds == 0);
  CHECK(settle(kSheet, m).text.find("data sheet (" + m.failure) == 0);
}

}  // namespace ctconv::cuda::testing
