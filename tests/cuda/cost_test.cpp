// SPDX-License-Identifier: Apache-2.0
// Estimates that decide: cuDNN's engines against times a run measured, the order engines are tried in, the corrections
// of our kernels.
#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "cuda/cudnn_cost.h"
#include "cuda/cudnn_graph.h"
#include "cuda/engine.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {
namespace {

// What the H200 of the run reached.
DeviceModel measured_h200() {
  DeviceModel m = model_of(90, 132, 1.98e9, 4.8e12);
  m.bytes_per_second = 4.2e12;
  m.f32 = 52e12;
  m.tf32 = 410e12;
  m.f16 = 750e12;
  return m;
}

ctconv_cuda_problem layer(const char* id, int32_t dtype, bool last) {
  for (const Layer& l : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    if (l.id == id) return problem_of(l, dtype, last);
  }
  FAIL("no layer " << id);
  return {};
}

class Fake final : public DevicePlan {
 public:
  Fake(const char* row, double seconds) : row_(row), seconds_(seconds) {}
  const char* row() const override { return row_; }
  std::string form() const override { return {}; }
  double seconds() const override { return seconds_; }
  Status run(const DeviceCall&) const override { return {}; }

 private:
  const char* row_;
  double seconds_;
};

}  // namespace

TEST_CASE("cuDNN's engines: within 1.6 of what was measured", "[cuda][cost]") {
  const struct {
    const char* id;
    int32_t dtype;
    bool last;
    CudnnEngine engine;
    double workspace;
    bool after;
    double microseconds;
  } rows[] = {
      {"gan3d.k4s2", CTCONV_CUDA_F32, false, {0, false}, 0, false, 42193.0},
      {"seed1.ex", CTCONV_CUDA_F32, false, {0, false}, 0, true, 20674.9},
      {"dw.k4s2", CTCONV_CUDA_F32, false, {0, false}, 0, false, 27.2},
      {"vitdet.fp2a", CTCONV_CUDA_F32, false, {1, false}, 0, false, 1781.4},
      {"centernet.r18", CTCONV_CUDA_F32, false, {2, false}, 0, false, 79.6},
      {"fcn32s.dense", CTCONV_CUDA_F32, false, {2, false}, 0, false, 14782.3},
      {"unet3d.k2s2.wide", CTCONV_CUDA_F32, false, {74, false}, 0, true, 390.1},
      {"dbnet.prob", CTCONV_CUDA_F32, false, {74, false}, 0, true, 311.4},
      {"da2l.k4s4", CTCONV_CUDA_F32, true, {74, false}, 28.0e6, true, 1853.4},
      {"gan3d.k4s2", CTCONV_CUDA_F32, false, {76, true}, 42467475, false, 125.2},
      {"unet3d.res.k3s2", CTCONV_CUDA_F16, true, {73, true}, 131, false, 61.3},
      {"pose.256", CTCONV_CUDA_F16, true, {64, true}, 0, false, 13.2},
  };
  const DeviceModel device = measured_h200();
  for (const auto& row : rows) {
    const double told =
        1e6 * cudnn_seconds(device, layer(row.id, row.dtype, row.last), row.engine, row.workspace, row.after);
    INFO(row.id << " engine " << row.engine.number << ": " << told << " us, measured " << row.microseconds);
    CHECK(told < 1.6 * row.microseconds);
    CHECK(told > row.microseconds / 1.6);
  }
}

TEST_CASE("cuDNN's engines: more work, converted layouts and a second pass cost more; slower devices too",
          "[cuda][cost]") {
  const DeviceModel device = measured_h200();
  DeviceModel half = device;
  half.bytes_per_second /= 2;
  half.f32 /= 2;
  half.f64 /= 2;
  half.tf32 /= 2;
  half.f16 /= 2;
  for (const Layer& l : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_F64}) {
      const ctconv_cuda_problem p = problem_of(l, dtype, false);
      ctconv_cuda_problem twice = p;
      twice.n *= 2;
      for (const int64_t engine : {-1, 0, 1, 2, 22, 46, 57, 64, 73, 74, 76, 1000}) {
        const CudnnEngine e{engine, engine > 2 && engine != 74};
        const double once = cudnn_seconds(device, p, e, 0, false);
        CHECK(once > 0);
        CHECK(cudnn_seconds(device, twice, e, 0, false) > once);
        CHECK(cudnn_seconds(device, p, e, 1e6, false) > once);
        CHECK(cudnn_seconds(device, p, e, 0, true) > once + 1e-6);
        CHECK(cudnn_seconds(half, p, e, 0, false) > once);
        CHECK(cudnn_seconds(half, p, e, 0, false) <= 2 * once);
      }
      // an engine no run has met counts as the commonest of its kind
      CHECK(cudnn_seconds(device, p, {1000, true}, 0, false) == cudnn_seconds(device, p, {76, true}, 0, false));
      CHECK(cudnn_seconds(device, p, {-1, false}, 0, false) == cudnn_seconds(device, p, {74, false}, 0, false));
    }
  }
}

TEST_CASE("engines are tried in cuDNN's order but for leaps; the hopeless are left out", "[cuda][cost]") {
  using Order = std::vector<size_t>;
  CHECK(order_of({}, 1).empty());
  CHECK(order_of({5}, 1) == Order{0});                        // the only one stays
  CHECK(order_of({5, 4, 3}, 100) == Order{0, 1, 2});          // none is twice as fast
  CHECK(order_of({5, 4, 2.4, 1}, 100) == Order{3, 2, 0, 1});  // two are
  CHECK(order_of({5, 200, 4, 101}, 100) == Order{0, 2});      // beyond slowest
  CHECK(order_of({500, 200, 400}, 100) == Order{1});          // all beyond it: the best of them
  CHECK(order_of({0, 0, 0}, 100) == Order{0, 1, 2});          // costs not known
}

TEST_CASE("our kernels' estimates are corrected, cuDNN's and unknown ones are not", "[cuda][cost]") {
  CHECK(expected_seconds(Fake("cudnn", 1e-3)) == 1e-3);
  CHECK(expected_seconds(Fake("of a later day", 1e-3)) == 1e-3);
  for (const Row* row : rows()) {
    const double small = expected_seconds(Fake(row->name, 1e-6)), large = expected_seconds(Fake(row->name, 1e-3));
    CHECK(small > 0);
    CHECK(large > 100 * small / 2);
    CHECK(large < 1e-1);
  }
}

}  // namespace ctconv::cuda::testing
