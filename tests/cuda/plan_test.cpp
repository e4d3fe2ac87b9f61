// SPDX-License-Identifier: Apache-2.0
// cuDNN plans for every layer of bench/layers.json with no device and no driver: cuDNN's own heuristics and plan
// builder run on a description of an H100, H200 or A100.
//
//   What this shows: each problem is one cuDNN accepts, within the rules asked for.
//   What it cannot show: that the plans run, and how fast.
//   Needs libcudnn 9.11 or later; without it, it says so and skips.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <map>
#include <sstream>

#include "cuda/cudnn_node.h"
#include "cuda/exchange.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {
namespace {

const CudnnApi* cudnn_or_skip() {
  const char* named = std::getenv("CTCONV_CUDNN_PATH");
  static CudnnApi api;
  static Status status = open_cudnn(named ? named : CTCONV_TEST_CUDNN_HINT, "", false, true, &api);
  static const bool again = !status.ok() && !named && (status = open_cudnn("", "", false, true, &api), true);
  (void)again;
  if (!status.ok()) SKIP("SKIPPED, NOT TESTED: " << status.detail().message);
  if (api.number < kDevicelessCudnn)
    SKIP("SKIPPED, NOT TESTED: cuDNN " << cudnn_version_text(api.number) << " cannot plan without a device");
  return &api;
}

CudnnTarget described(const CudnnApi& api, const char* device, Descriptor* keep) {
  std::ifstream file(std::string(CTCONV_SOURCE_DIR) + "/tests/cuda/devices/" + device + ".json");
  std::stringstream text;
  text << file.rdbuf();
  Result<Descriptor> d = cudnn_device_from_json(api, text.str());
  INFO(device << ": " << (d.ok() ? "" : d.status().detail().message));
  REQUIRE(d.ok());
  *keep = std::move(*d);
  return {.device = keep->get(),
          .compute_capability = nlohmann::json::parse(text.str())["deviceVer"].get<int32_t>() / 10};
}

void plan_all_layers(const char* device) {
  const CudnnApi& api = *cudnn_or_skip();
  Descriptor keep;
  const CudnnTarget target = described(api, device, &keep);
  const auto layers = read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json");
  CHECK(layers.size() == 101);
  int planned = 0;
  std::map<std::string, int> missing;
  for (const Layer& layer : layers) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_BF16, CTCONV_CUDA_F64}) {
      for (const bool last : {false, true}) {
        for (const bool tf32 : {false, true}) {
          if (tf32 && dtype != CTCONV_CUDA_F32) continue;
          const ctconv_cuda_problem p = problem_of(layer, dtype, last);
          REQUIRE(cudnn_refusal(api, p).empty());
          for (const bool deterministic : {false, true}) {
            const auto plans = cudnn_plans(api, target, p, {.allow_tf32 = tf32, .deterministic = deterministic});
            if (!plans.ok()) {
              ++missing[plans.status().detail().message.substr(0, 150)];
              UNSCOPED_INFO(layer.id << " dtype " << dtype << (last ? " last" : " first") << " tf32 " << tf32 << " det "
                                     << deterministic << ": " << plans.status().detail().message);
              continue;
            }
            ++planned;
            const CudnnPlanInfo& plan = plans.value().front();
            if (deterministic) CHECK_FALSE(plan.nondeterministic);
            if (dtype == CTCONV_CUDA_F32 && !tf32) CHECK_FALSE(plan.tensor_core);
            if (!tf32) CHECK_FALSE(plan.rounds_operands);
            if (dtype == CTCONV_CUDA_F32 && plan.tensor_core) CHECK(plan.rounds_operands);
          }
        }
      }
    }
  }
  WARN(device << ", cuDNN " << cudnn_version_text(api.number) << ": " << planned << " plans built");
  for (const auto& [text, count] : missing) WARN(count << " x " << text);
  CHECK(missing.empty());
}

}  // namespace

TEST_CASE("plans for an H200", "[cuda][plan]") { plan_all_layers("h200"); }
TEST_CASE("plans for an H100", "[cuda][plan]") { plan_all_layers("h100"); }
TEST_CASE("plans for an A100", "[cuda][plan]") { plan_all_layers("a100"); }

// dx as the module sees it, dw.
ctconv_cuda_problem gradient_of(ctconv_cuda_problem p, int32_t written) {
  p.written = written;
  p.bias = CTCONV_CUDA_BIAS_NONE;
  p.activation = 0;
  return written == CTCONV_CUDA_WRITES_X ? exchanged(p) : p;
}

TEST_CASE("gradient plans for an H200", "[cuda][plan][gradient]") {
  const CudnnApi& api = *cudnn_or_skip();
  Descriptor keep;
  const CudnnTarget target = described(api, "h200", &keep);
  int nodes[3] = {0, 0, 0};
  for (const Layer& layer : read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json")) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16}) {
      for (const bool last : {false, true}) {
        for (const int32_t written : {CTCONV_CUDA_WRITES_X, CTCONV_CUDA_WRITES_W}) {
          const ctconv_cuda_problem p = gradient_of(problem_of(layer, dtype, last), written);
          INFO(layer.id << " dtype " << dtype << (last ? " last" : " first") << ", " << name_of(node_of(p)));
          REQUIRE(cudnn_refusal(api, p).empty());
          const auto plans = cudnn_plans(api, target, p, {.deterministic = true});
          INFO((plans.ok() ? "" : plans.status().detail().message));
          CHECK(plans.ok());
          nodes[static_cast<int>(node_of(p))] += plans.ok();
        }
      }
    }
  }
  WARN("backward data " << nodes[0] << ", convolution " << nodes[1] << ", backward filter " << nodes[2]);
  CHECK(nodes[1] > 200);
  CHECK(nodes[2] > 300);
}

TEST_CASE("gradient plans take odd geometry", "[cuda][plan][gradient]") {
  const CudnnApi& api = *cudnn_or_skip();
  Descriptor keep;
  const CudnnTarget target = described(api, "h200", &keep);
  Random r(12);
  int asked = 0, planned = 0;
  for (int round = 0; round < 300; ++round) {
    const auto dtype = static_cast<int32_t>(draw(r, 0, 3));
    const ctconv_cuda_problem p =
        gradient_of(random_problem(r, dtype, {}), round % 2 ? CTCONV_CUDA_WRITES_X : CTCONV_CUDA_WRITES_W);
    if (!cudnn_refusal(api, p).empty()) continue;
    ++asked;
    const auto plans = cudnn_plans(api, target, p, {});
    planned += plans.ok();
    if (!plans.ok()) UNSCOPED_INFO(name_of(node_of(p)) << ": " << plans.status().detail().message);
  }
  INFO(planned << " of " << asked);
  CHECK(planned == asked);
}

TEST_CASE("plans obey the workspace limit, survive export, and take odd geometry", "[cuda][plan]") {
  const CudnnApi& api = *cudnn_or_skip();
  Descriptor keep;
  const CudnnTarget target = described(api, "h200", &keep);
  const auto layers = read_layers(std::string(CTCONV_SOURCE_DIR) + "/bench/layers.json");
  for (const Layer& layer : layers) {
    if (layer.id != "unet3d.k2s2.wide" && layer.id != "dcgan.512" && layer.id != "hifigan.0") continue;
    const ctconv_cuda_problem p = problem_of(layer, CTCONV_CUDA_F32, false);
    const auto none = cudnn_plans(api, target, p, {.allow_tf32 = true, .workspace_limit = 0, .most = 100});
    REQUIRE(none.ok());
    for (const CudnnPlanInfo& plan : none.value()) CHECK(plan.workspace == 0);
    const auto json = cudnn_plan_json(api, none.value().front());
    REQUIRE(json.ok());
    CHECK(json.value().size() > 100);
    CHECK(nlohmann::json::accept(json.value()));
    const auto low = cudnn_plans(api, target, p, {.allow_tf32 = true, .low_alignment = true});
    CHECK(low.ok());
  }
  // Random geometry: uneven and negative pads, output_padding at and above the stride, dilation with stride, views.
  Random r(11);
  int asked = 0, planned = 0;
  for (int round = 0; round < 400; ++round) {
    const ctconv_cuda_problem p = random_problem(r, static_cast<int32_t>(draw(r, 0, 3)), {});
    if (!cudnn_refusal(api, p).empty()) continue;
    ++asked;
    const auto plans = cudnn_plans(api, target, p, {});
    planned += plans.ok();
    if (!plans.ok()) {
      std::ostringstream text;
      text << "rank " << p.rank << " dtype " << p.dtype << " x";
      for (const int64_t s : p.x) text << ' ' << s;
      text << " y";
      for (const int64_t s : p.y) text << ' ' << s;
      UNSCOPED_INFO(text.str() << ": " << plans.status().detail().message);
    }
  }
  INFO(planned << " of " << asked);
  CHECK(planned == asked);
}

TEST_CASE("cuDNN absent and too old are statuses of their own", "[cuda][cudnn]") {
  CudnnApi api;
  const Status missing = open_cudnn("/nowhere/libcudnn.so.9", "", false, false, &api);
  REQUIRE(missing.code() == Code::DEVICE_CUDNN_MISSING);
  CHECK(missing.detail().message.find("install nvidia-cudnn-cu13 or set CTCONV_CUDNN_PATH") != std::string::npos);
  WARN(missing.detail().message);
  const Status old = open_cudnn(CTCONV_FAKE_OLD_CUDNN, "", false, false, &api);
  REQUIRE(old.code() == Code::DEVICE_CUDNN_OLD);
  WARN(old.detail().message);
}

}  // namespace ctconv::cuda::testing
