// SPDX-License-Identifier: Apache-2.0
// What oneDNN's name for an implementation says about it.
//
//   in:  impl_info_str() of a deconvolution;   out: the facts that planning and the model of cost ask for
//   The names are oneDNN's own and no part of its API: tests/engine lists those of the versions we know.
#pragma once

#include <string>

namespace ctconv::onednn {

struct Implementation {
  enum class Method {
    kReference,  // plain loops, never taken
    kGemm,       // columns by matrix product, then added up
    kDepthwise,  // a kernel for one channel a group
    kBrgemm,     // batch-reduce matrix products
    kDirect,     // generated loops without either
  };
  Method method = Method::kReference;
  bool wrong = false;                 // known to compute wrong numbers in 3.7.2: never taken
  bool backward_convolution = false;  // by way of a backward convolution: bias and activation in passes of their own
};

Implementation implementation_of(const std::string& name);

}  // namespace ctconv::onednn
