// SPDX-License-Identifier: Apache-2.0
// The C API with device "cuda" over the host module (host_module.cpp): the module's state, tensors said to lie there.
//
//   in:  CTCONV_HOST_MODULE, the module's file, from CMake;   out: records for tests/capi/support.h
#pragma once

#include <dlfcn.h>

#include <cstdlib>

#include "tests/capi/support.h"
#include "tests/device/host_module.h"

namespace device {

using namespace capi;

inline HostModuleState& state() {
  static HostModuleState* found = [] {
    setenv("CTCONV_CUDA_MODULE", CTCONV_HOST_MODULE, 1);
    void* module = dlopen(CTCONV_HOST_MODULE, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(module != nullptr);
    const auto get = reinterpret_cast<HostModuleState* (*)()>(dlsym(module, CTCONV_HOST_MODULE_STATE));
    REQUIRE(get != nullptr);
    return get();
  }();
  return *found;
}

// Knobs and counts as at the start; what lives (plans, buffers) stays counted and must be nothing.
inline HostModuleState& fresh() {
  HostModuleState& s = state();
  REQUIRE(s.plans_live == 0);
  REQUIRE(s.buffers_live == 0);
  s.~HostModuleState();
  return *new (&s) HostModuleState;
}

inline Tensor& there(Tensor& t) {
  t.get()->device_type = CTCONV_DEVICE_CUDA;
  return t;
}

inline ctconv_options cuda_options() {
  ctconv_options o = CTCONV_OPTIONS_INIT;
  o.device = "cuda";
  return o;
}

inline void* stream(uintptr_t number) { return reinterpret_cast<void*>(number << 8); }

// A convolution whose x, weight, bias and y are said to lie on the device.
struct Layer {
  Conv conv;
  Desc desc;
  Tensor x, w, b, y;
  explicit Layer(Conv c = {}, Dtype type = Dtype::kF32)
      : conv(std::move(c)),
        desc(conv.desc()),
        x(conv.x_shape(), type),
        w(conv.w_shape(), type),
        b(Shape{conv.co}, type),
        y(conv.y_shape(), type) {
    x.integers(1);
    w.integers(2);
    b.integers(3);
    for (Tensor* t : {&x, &w, &b, &y}) there(*t);
  }
  std::vector<double> want() { return conv.scatter(x, w, conv.bias ? &b : nullptr); }
  ctconv_call given() { return call_of(&x, &y); }  // weight and bias at create
  ctconv_call per_call() { return call_of(&x, &y, &w, conv.bias ? &b : nullptr); }
};

inline size_t prepared(const Op& op, const ctconv_call& call) {
  Error error;
  size_t bytes = SIZE_MAX;
  const ctconv_status status = ctconv_prepare(op.get(), &call, &bytes, &error);
  INFO(error.text());
  REQUIRE(status == CTCONV_OK);
  return bytes;
}

}  // namespace device
