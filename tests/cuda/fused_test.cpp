// SPDX-License-Identifier: Apache-2.0
// Has cuDNN a plan that fuses bias and ReLU into backward data without compiling at run time?
//
//   So far it has none, which is why the module runs its own pass. The day this test fails, a fused row of the table
//   is worth writing.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <sstream>

#include "cuda/cudnn_graph.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {
namespace {

class Maker {
 public:
  explicit Maker(const CudnnApi& api) : api_(api) {}
  cudnnBackendDescriptor_t make(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t d = nullptr;
    ok = ok && api_.descriptor_create(type, &d) == CUDNN_STATUS_SUCCESS;
    kept_.emplace_back(&api_, d);
    return d;
  }
  void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, int64_t count,
           const void* v) {
    ok = ok && api_.set(d, n, t, count, v) == CUDNN_STATUS_SUCCESS;
  }
  void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t n, cudnnBackendDescriptor_t v) {
    set(d, n, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v);
  }
  void finalize(cudnnBackendDescriptor_t d) { ok = ok && api_.finalize(d) == CUDNN_STATUS_SUCCESS; }
  cudnnBackendDescriptor_t tensor(int64_t uid, cudnnDataType_t type, const std::array<int64_t, 4>& extent,
                                  bool is_virtual) {
    auto d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const std::array<int64_t, 4> stride{extent[1] * extent[2] * extent[3], 1, extent[1] * extent[3], extent[1]};
    const int64_t alignment = 16;
    set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, extent.data());
    set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride.data());
    set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    finalize(d);
    return d;
  }
  cudnnBackendDescriptor_t pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                                     cudnnBackendDescriptor_t y) {
    auto p = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    const cudnnDataType_t f32 = CUDNN_DATA_FLOAT;
    set(p, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(p, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &f32);
    finalize(p);
    auto op = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, p);
    set(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b) set(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    set(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finalize(op);
    return op;
  }
  bool ok = true;

 private:
  const CudnnApi& api_;
  std::vector<Descriptor> kept_;
};

}  // namespace

TEST_CASE("no fused plan without run-time compilation", "[cuda][plan]") {
  const char* named = std::getenv("CTCONV_CUDNN_PATH");
  CudnnApi api;
  const Status status = open_cudnn(named ? named : CTCONV_TEST_CUDNN_HINT, "", false, true, &api);
  if (!status.ok() || api.number < kDevicelessCudnn) SKIP("SKIPPED, NOT TESTED: no libcudnn 9.11 or later");
  std::ifstream file(std::string(CTCONV_SOURCE_DIR) + "/tests/cuda/devices/h200.json");
  std::stringstream text;
  text << file.rdbuf();
  auto device = cudnn_device_from_json(api, text.str());
  REQUIRE(device.ok());
  const cudnnBackendDescriptor_t raw = device->get();
  int listed = 0, compiled = 0;
  for (const cudnnDataType_t type : {CUDNN_DATA_HALF, CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT}) {
    Maker m(api);
    const int64_t s[2] = {2, 2}, d[2] = {1, 1}, pad[2] = {1, 1}, two = 2;
    const cudnnDataType_t f32 = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const float one = 1, zero = 0;
    auto dy = m.tensor('x', type, {1, 128, 16, 16}, false), w = m.tensor('w', type, {128, 64, 4, 4}, false);
    auto sum = m.tensor(1, CUDNN_DATA_FLOAT, {1, 64, 32, 32}, true), bias = m.tensor('b', type, {1, 64, 1, 1}, false);
    auto biased = m.tensor(2, CUDNN_DATA_FLOAT, {1, 64, 32, 32}, true), y = m.tensor('y', type, {1, 64, 32, 32}, false);
    auto conv = m.make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &f32);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, s);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, d);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    m.set(conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    m.finalize(conv);
    auto node = m.make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, sum);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, conv);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
    m.set(node, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
    m.finalize(node);
    const cudnnBackendDescriptor_t ops[3] = {node, m.pointwise(CUDNN_POINTWISE_ADD, sum, bias, biased),
                                             m.pointwise(CUDNN_POINTWISE_RELU_FWD, biased, nullptr, y)};
    auto graph = m.make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    m.set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 3, ops);
    m.finalize(graph);
    REQUIRE(m.ok);
    // every engine cuDNN knows for this graph, not only the heuristics' favourites
    int64_t engines = 0, got = 0;
    REQUIRE(api.get(graph, CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT, CUDNN_TYPE_INT64, 1, &got, &engines) ==
            CUDNN_STATUS_SUCCESS);
    for (int64_t e = 0; e < engines; ++e) {
      Maker one_engine(api);
      auto engine = one_engine.make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
      one_engine.set(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
      one_engine.set(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &e);
      one_engine.set(engine, CUDNN_ATTR_ENGINE_DEVICEPROP, raw);
      one_engine.finalize(engine);
      if (!one_engine.ok) continue;
      ++listed;
      cudnnBackendBehaviorNote_t notes[16];
      int64_t count = 0;
      REQUIRE(api.get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, 16, &count, notes) ==
              CUDNN_STATUS_SUCCESS);
      compiled += std::find(notes, notes + count, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != notes + count;
    }
  }
  WARN("cuDNN " << cudnn_version_text(api.number) << ": " << listed << " fused engines accept the graph here, "
                << compiled << " of them compile at run time");
  CHECK(listed == compiled);
}

}  // namespace ctconv::cuda::testing
