// SPDX-License-Identifier: Apache-2.0
// One node in cuDNN's graph interface; see cudnn_node.h.
#include "cuda/cudnn_node.h"

#include <array>

#include "cuda/exchange.h"
#include "cuda/geometry.h"

namespace ctconv::cuda {

bool channels_last(const ctconv_cuda_problem& p) {
  const auto last = [&p](bool output) {
    int64_t e[5];
    extents_of(p, output, e);
    const int64_t(&s)[5] = output ? p.y : p.x;
    for (int a = 2; a < 5; ++a) {
      if (e[a] != 1 && s[a] < s[1]) return false;
    }
    return e[1] != 1 || dense_channels_last(p, output);
  };
  return last(true) && last(false);
}

CudnnNode node_of(const ctconv_cuda_problem& p) {
  if (p.written == CTCONV_CUDA_WRITES_W) return CudnnNode::kBackwardFilter;
  return leaves_out(p) ? CudnnNode::kForward : CudnnNode::kBackwardData;
}

const char* name_of(CudnnNode node) {
  if (node == CudnnNode::kBackwardFilter) return "backward filter";
  return node == CudnnNode::kForward ? "convolution" : "backward data";
}

namespace {

cudnnDataType_t data_type(int32_t dtype) {
  switch (dtype) {
    case CTCONV_CUDA_F16:
      return CUDNN_DATA_HALF;
    case CTCONV_CUDA_BF16:
      return CUDNN_DATA_BFLOAT16;
    case CTCONV_CUDA_F64:
      return CUDNN_DATA_DOUBLE;
    default:
      return CUDNN_DATA_FLOAT;
  }
}

// n, c, then the spatial axes cuDNN sees: h, w for 1-D and 2-D, d, h, w for 3-D.
struct Shape {
  std::vector<int64_t> extent, stride;
};

Shape shape_of(const ctconv_cuda_problem& p, const int64_t (&extent)[5], const int64_t (&stride)[5], bool last) {
  static constexpr int kFirst[5] = {4, 3, 2, 1, 0}, kLast[5] = {1, 4, 3, 2, 0};
  int64_t fixed[5], step = 1;
  for (const int a : last ? kLast : kFirst) {  // an axis of one element gets the stride a dense tensor would have
    fixed[a] = extent[a] == 1 ? step : stride[a];
    step = fixed[a] * extent[a];
  }
  Shape s;
  for (int a = 0; a < 5; ++a) {
    if (a == 2 && p.rank < 3) continue;
    s.extent.push_back(extent[a]);
    s.stride.push_back(fixed[a]);
  }
  return s;
}

Descriptor tensor(Builder& b, int32_t dtype, int64_t uid, const Shape& s, int64_t alignment, const char* what) {
  Descriptor d = b.make(CUDNN_BACKEND_TENSOR_DESCRIPTOR, what);
  const cudnnDataType_t type = data_type(dtype);
  const auto rank = static_cast<int64_t>(s.extent.size());
  b.set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  b.set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, rank, s.extent.data());
  b.set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, rank, s.stride.data());
  b.set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
  b.set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  b.finalize(d);
  return d;
}

// Strides, dilations and paddings of the convolution whose forward pass, or backward data or filter, computes p.
Descriptor convolution_of(Builder& b, const ctconv_cuda_problem& p) {
  std::vector<int64_t> s, d, pre, post;
  for (int a = p.rank < 3 ? 1 : 0; a < 3; ++a) {
    const bool forward = node_of(p) == CudnnNode::kForward;
    const DgradAxis axis = forward ? forward_axis(p.axis[a]) : dgrad_axis(p.axis[a]);
    s.push_back(forward ? 1 + p.axis[a].skip : p.axis[a].s);
    d.push_back(p.axis[a].d);
    pre.push_back(axis.pre);
    post.push_back(axis.post);
  }
  const auto rank = static_cast<int64_t>(s.size());
  const cudnnDataType_t compute = p.dtype == CTCONV_CUDA_F64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  Descriptor c = b.make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution");
  b.set(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  b.set(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  b.set(c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &rank);
  b.set(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, rank, s.data());
  b.set(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, rank, d.data());
  b.set(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, rank, pre.data());
  b.set(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, rank, post.data());
  b.finalize(c);
  return c;
}

// A node's attributes: its type, and where x, w, y, the convolution and the factors go.
struct NodeNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};

NodeNames names_of(CudnnNode node) {
  switch (node) {
    case CudnnNode::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case CudnnNode::kBackwardFilter:  // what the convolution reads is y, what it writes is x
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    case CudnnNode::kBackwardData:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
}

// The filter: [output channels of the convolution][its input channels of a group][taps], dense.
Shape filter_of(const ctconv_cuda_problem& p, bool last) {
  const bool forward = node_of(p) == CudnnNode::kForward;
  const int64_t extent[5] = {forward ? channels_out(p) : channels_in(p), forward ? p.ci : p.co, p.axis[0].k,
                             p.axis[1].k, p.axis[2].k};
  int64_t stride[5], step = 1;
  for (const int a : last ? std::array{1, 4, 3, 2, 0} : std::array{4, 3, 2, 1, 0}) {
    stride[a] = step;
    step *= extent[a];
  }
  return shape_of(p, extent, stride, last);
}

Descriptor node_descriptor(Builder& b, const ctconv_cuda_problem& p, const Graph& g) {
  const double one64 = 1, zero64 = 0;
  const float one32 = 1, zero32 = 0;
  const bool wide = p.dtype == CTCONV_CUDA_F64;
  const cudnnBackendAttributeType_t scalar = wide ? CUDNN_TYPE_DOUBLE : CUDNN_TYPE_FLOAT;
  const NodeNames names = names_of(node_of(p));
  Descriptor node = b.make(names.type, name_of(node_of(p)));
  b.set(node, names.x, g.x);
  b.set(node, names.w, g.w);
  b.set(node, names.y, g.y);
  b.set(node, names.convolution, g.convolution);
  b.set(node, names.alpha, scalar, 1, wide ? static_cast<const void*>(&one64) : &one32);
  b.set(node, names.beta, scalar, 1, wide ? static_cast<const void*>(&zero64) : &zero32);
  b.finalize(node);
  return node;
}

}  // namespace

Graph build_graph(Builder& b, const CudnnTarget& target, const ctconv_cuda_problem& p, const Box& box,
                  bool low_alignment) {
  const bool last = channels_last(p), boxed_x = node_of(p) == CudnnNode::kForward;
  int64_t ex[5], ey[5];
  extents_of(p, false, ex);
  extents_of(p, true, ey);
  for (int a = 0; a < 3; ++a) (boxed_x ? ex : ey)[2 + a] = box.hi[a] - box.lo[a];
  const auto bytes = static_cast<int64_t>(element_bytes(p.dtype));
  const int64_t alignment = low_alignment ? bytes : 16;
  const int64_t boxed = interior_offset(p, box) * bytes % 16 ? bytes : alignment;

  Graph g;
  g.x = tensor(b, p.dtype, kUidX, shape_of(p, ex, p.x, last), boxed_x ? boxed : alignment, "tensor x");
  g.w = tensor(b, p.dtype, kUidW, filter_of(p, last), alignment, "tensor w");
  g.y = tensor(b, p.dtype, kUidY, shape_of(p, ey, p.y, last), boxed_x ? alignment : boxed, "tensor y");
  g.convolution = convolution_of(b, p);
  g.node = node_descriptor(b, p, g);

  g.graph = b.make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "operation graph");
  b.set(g.graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, g.node);
  if (target.handle) b.set(g.graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &target.handle);
  b.finalize(g.graph);
  return g;
}

}  // namespace ctconv::cuda
