// SPDX-License-Identifier: Apache-2.0
// The table of kernels without a device: forced names, refusals, reference bits, estimates, cuDNN's words without a
// driver.
#include <dlfcn.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <map>

#include "cuda/cudnn_handles.h"
#include "cuda/engine.h"
#include "cuda/exchange.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {
namespace {

const DeviceModel kH200 = model_of(90, 132, 1.98e9, 4.8e12);

Result<std::unique_ptr<DevicePlan>> choose_for(const ctconv_cuda_problem& p, const char* kernel,
                                               int32_t reproducible = 0, size_t limit = SIZE_MAX) {
  ctconv_cuda_options o{};
  o.kernel = kernel;
  o.reproducible = reproducible;
  o.workspace_limit = limit;
  return choose({p, o, kH200, limit, {}, 1});
}

}  // namespace

TEST_CASE("every row answers for itself over all layers", "[cuda][choose]") {
  const auto layers = read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json");
  const std::vector<const char*> names{"cell",       "pixel",       "shuffle", "shuffle-tensor", "gemm",
                                       "gemm-split", "gemm-tensor", "fold",    "fold-tensor",    "direct"};
  std::vector<int> ran(names.size());
  for (const Layer& layer : layers) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_F64}) {
      for (const bool last : {false, true}) {
        const ctconv_cuda_problem p = problem_of(layer, dtype, last);
        for (size_t k = 0; k < names.size(); ++k) {
          const auto plan = choose_for(p, names[k]);
          if (plan.ok()) {
            ++ran[k];
            CHECK(std::strcmp((*plan.value()).row(), names[k]) == 0);
            CHECK(plan.value()->seconds() > 2e-6);
            const bool moves = plan.value()->form().find("x reordered") != std::string::npos ||
                               std::string(plan.value()->row()).find("fold") == 0;
            CHECK((plan.value()->workspace() != 0) == moves);
          } else {
            CHECK(plan.status().code() == Code::UNSUPPORTED_ENGINE);
            CHECK_FALSE(plan.status().detail().message.empty());
          }
        }
        // reference bits: never cuDNN, never tensor cores; always some kernel
        const auto exact = choose_for(p, nullptr, CTCONV_CUDA_REFERENCE_BITS);
        REQUIRE(exact.ok());
        CHECK(std::strcmp(exact.value()->row(), "cudnn") != 0);
        for (const char* other : {"shuffle-tensor", "gemm-split", "gemm-tensor", "fold", "fold-tensor"}) {
          CHECK(std::strcmp(exact.value()->row(), other) != 0);
        }
      }
    }
  }
  CHECK(ran.back() == 101 * 6);
  std::string text;
  for (size_t k = 0; k < names.size(); ++k) text += std::string(", ") + names[k] + " " + std::to_string(ran[k]);
  WARN("of " << 101 * 6 << " problems" << text);
}

TEST_CASE("a plan says which bits it keeps", "[cuda][choose]") {
  const std::vector<const char*> exact{"cell", "pixel", "shuffle", "gemm", "direct"};
  const std::vector<const char*> tensor{"shuffle-tensor", "gemm-tensor", "fold-tensor"};
  const auto among = [](const std::vector<const char*>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  int reduced = 0, machine = 0, reference = 0;
  for (const Layer& layer : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_F64}) {
      const ctconv_cuda_problem p = problem_of(layer, dtype, true);
      for (const Row* row : rows()) {
        if (row == &kCudnnRow) continue;
        ctconv_cuda_options o{};
        o.kernel = row->name;
        o.allow_tf32 = 1;
        const auto plan = choose({p, o, kH200, SIZE_MAX, {}, 1});
        if (!plan.ok()) continue;
        const Bits bits = bits_of(**plan);
        INFO(row->name << ", type " << dtype);
        if (among(exact, row->name)) {
          CHECK(bits == Bits::kReference);
        } else {
          CHECK(bits == (among(tensor, row->name) && dtype == CTCONV_CUDA_F32 ? Bits::kReduced : Bits::kMachine));
        }
        reduced += bits == Bits::kReduced;
        machine += bits == Bits::kMachine;
        reference += bits == Bits::kReference;
      }
    }
  }
  CHECK((reduced > 0 && machine > 0 && reference > 0));
}

namespace {

ctconv_cuda_problem gradient_of(const Layer& layer, int32_t dtype, bool last, int32_t written) {
  ctconv_cuda_problem p = problem_of(layer, dtype, last);
  p.written = written;
  p.activation = 0;
  p.bias = CTCONV_CUDA_BIAS_NONE;
  return written == CTCONV_CUDA_WRITES_X ? exchanged(p) : p;
}

}  // namespace

TEST_CASE("gradients: some kernel for every layer, within any workspace, with the reference's bits", "[cuda][choose]") {
  std::map<std::string, int> chosen;
  for (const Layer& layer : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_F64}) {
      for (const int32_t written : {CTCONV_CUDA_WRITES_X, CTCONV_CUDA_WRITES_W, CTCONV_CUDA_WRITES_BIAS}) {
        const ctconv_cuda_problem p = gradient_of(layer, dtype, dtype == CTCONV_CUDA_F16, written);
        INFO(layer.id << ", type " << dtype << ", writes " << written);
        const auto exact = choose_for(p, nullptr, CTCONV_CUDA_REFERENCE_BITS);
        REQUIRE(exact.ok());
        CHECK(bits_of(**exact) == Bits::kReference);
        CHECK((*exact)->seconds() > 2e-6);
        ++chosen[(*exact)->row()];
        if (written != CTCONV_CUDA_WRITES_W) continue;
        CHECK(exact.value()->workspace() < size_t{64} << 20);
        for (const size_t limit : {size_t{0}, size_t{1} << 16, size_t{1} << 22}) {
          const auto small = choose_for(p, nullptr, CTCONV_CUDA_REFERENCE_BITS, limit);
          REQUIRE(small.ok());
          CHECK(small.value()->workspace() <= limit);
        }
      }
    }
  }
  std::string text;
  for (const auto& [row, count] : chosen) text += ", " + row + " " + std::to_string(count);
  WARN("of 909 gradients" << text);
  CHECK(chosen["weights-gemm"] > 100);
  CHECK(chosen["bias-sums"] == 303);
}

TEST_CASE("gradients: a kernel of another operand refuses", "[cuda][choose]") {
  const auto layers = read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json");
  const ctconv_cuda_problem dw = gradient_of(layers[0], CTCONV_CUDA_F32, false, CTCONV_CUDA_WRITES_W);
  const auto wrong = choose_for(dw, "direct");
  REQUIRE(wrong.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(wrong.status().detail().message == "direct: no problem that writes w");
  const auto forward = choose_for(problem_of(layers[0], CTCONV_CUDA_F32, false), "weights-gemm");
  CHECK(forward.status().detail().message == "weights-gemm: no problem that writes y");
}

TEST_CASE("estimates put memory-bound layers on the kernels written for them", "[cuda][choose]") {
  for (const Layer& layer : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    const auto chosen = [&](int32_t dtype, bool last) {
      return std::string(
          choose_for(problem_of(layer, dtype, last), nullptr, CTCONV_CUDA_REFERENCE_BITS).value()->row());
    };
    if (layer.id == "fcn8s.dw" || layer.id == "dw.k4s2" || layer.id == "mednext.dw3d") {
      CHECK(chosen(CTCONV_CUDA_F32, false) == "cell");
      CHECK(chosen(CTCONV_CUDA_F32, true) == "pixel");
    }
    if (layer.id == "unet3d.k2s2.wide") CHECK(chosen(CTCONV_CUDA_F32, false) != "direct");
    if (layer.id == "seed1.ex") CHECK(chosen(CTCONV_CUDA_F32, false) == "cell");
  }
}

TEST_CASE("unknown and unfit kernels are statuses", "[cuda][choose]") {
  const auto layers = read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json");
  const ctconv_cuda_problem p = problem_of(layers[0], CTCONV_CUDA_F32, false);
  CHECK(choose_for(p, "nonsense").status().code() == Code::MISUSE_ENGINE);
  const auto unfit = choose_for(p, "shuffle");
  REQUIRE(unfit.status().code() == Code::UNSUPPORTED_ENGINE);
  CHECK(unfit.status().detail().message == "kernel and stride differ");
  CHECK(choose_for(p, "cudnn", CTCONV_CUDA_REFERENCE_BITS).status().code() == Code::UNSUPPORTED_ENGINE);
  ctconv_cuda_problem tf = problem_of(layers[4], CTCONV_CUDA_F32, false);
  CHECK(choose_for(tf, "shuffle-tensor").status().detail().message == "TF32, which is not allowed");
}

TEST_CASE("a missing cuDNN refuses its own plans and no other", "[cuda][choose]") {
  setenv("CTCONV_CUDNN_PATH", "/nowhere", 1);
  const CudnnApi* api = nullptr;
  const Code missing = load_cudnn(&api).code();
  if (missing != Code::DEVICE_CUDNN_MISSING) SKIP("a cuDNN is loaded already");
  for (const Layer& layer : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    const ctconv_cuda_problem p = problem_of(layer, CTCONV_CUDA_F32, false);
    CHECK(choose_for(p, "cudnn").status().code() == Code::DEVICE_CUDNN_MISSING);
    ctconv_cuda_options o{};
    o.workspace_limit = SIZE_MAX;
    Choice choice;
    const auto plan = choose({p, o, kH200, SIZE_MAX, {}, 1}, &choice);
    REQUIRE(plan.ok());
    CHECK(std::strcmp(plan.value()->row(), "cudnn") != 0);
    CHECK(choice.why.find(plan.value()->row()) != std::string::npos);
    const auto said =
        std::find_if(choice.refused.begin(), choice.refused.end(), [](const auto& r) { return r.first == "cudnn"; });
    REQUIRE(said != choice.refused.end());
    CHECK(said->second.find("CTCONV_CUDNN_PATH=/nowhere cannot be opened") == 0);
  }
}

TEST_CASE("cuDNN's own words come through where there is no driver", "[cuda][choose]") {
  if (dlopen("libcuda.so.1", RTLD_NOW)) SKIP("a driver is here");
  CudnnApi api;
  if (!open_cudnn(CTCONV_TEST_CUDNN_HINT, "", false, true, &api).ok()) SKIP("SKIPPED, NOT TESTED: no libcudnn");
  HandleLease lease(api, 0, nullptr);
  const Status status = lease.take_status();
  REQUIRE(status.code() == Code::DEVICE_CUDNN);
  CHECK(status.detail().message.find("cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED") != std::string::npos);
  CHECK(status.detail().native_code / 1000 == 1);
  WARN(status.detail().message);
}

}  // namespace ctconv::cuda::testing
