// SPDX-License-Identifier: Apache-2.0
// The one operation a problem is in cuDNN's graph interface.
//
//   in:  a problem, the box of the rows that meet a tap, a target
//   out: an operation graph of one node: backward data (writes y), a strided convolution (a data gradient exchanged by
//        exchange.h), or backward filter (writes w)
//   Tensors keep their names: x, w and y of the problem, whatever cuDNN calls them in that node.
#pragma once

#include "cuda/cudnn_builder.h"

namespace ctconv::cuda {

enum class CudnnNode { kBackwardData, kForward, kBackwardFilter };
CudnnNode node_of(const ctconv_cuda_problem& p);
const char* name_of(CudnnNode node);

struct Graph {
  Descriptor x, w, y, convolution, node, graph;
};

// Both tensors have their channels last.
bool channels_last(const ctconv_cuda_problem& p);
Graph build_graph(Builder& b, const CudnnTarget& target, const ctconv_cuda_problem& p, const Box& box,
                  bool low_alignment);

}  // namespace ctconv::cuda
