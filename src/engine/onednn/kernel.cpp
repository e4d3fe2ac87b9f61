// SPDX-License-Identifier: Apache-2.0
// See kernel.h. Refuses: no implementation, or the reference one; scratch above the workspace limit.
#include "src/engine/onednn/kernel.h"

#include <algorithm>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>

#include "src/engine/onednn/cost.h"
#include "src/engine/onednn/descriptors.h"
#include "src/engine/onednn/epilogue.h"
#include "src/engine/onednn/failure.h"
#include "src/engine/onednn/implementation.h"
#include "src/engine/onednn/threads.h"
#include "src/engine/onednn/values.h"

namespace ctconv::onednn {
namespace {

using dnnl::memory;

// A reorder with its scratchpad in the caller's memory.
struct Reorder {
  Desc from, to;
  dnnl::reorder primitive;
  size_t scratch = 0;

  void make(const dnnl::engine& engine, const Desc& f, const Desc& t) {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc pd(engine, f, engine, t, attr);
    from = f;
    to = t;
    scratchpad_ = pd.scratchpad_desc();
    scratch = scratchpad_.get_size();
    primitive = dnnl::reorder(pd);
  }
  void run(const dnnl::engine& engine, const dnnl::stream& stream, const void* src, void* dst, void* pad) const {
    std::unordered_map<int, memory> args = {{DNNL_ARG_FROM, memory(from, engine, const_cast<void*>(src))},
                                            {DNNL_ARG_TO, memory(to, engine, dst)}};
    if (scratch != 0) args.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad_, engine, pad));
    primitive.execute(stream, args);
  }

 private:
  Desc scratchpad_;
};

class OnednnKernel final : public Kernel {
 public:
  std::string form() const override { return form_; }
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t packed_bytes() const override { return weights_.get_size(); }
  std::string packing() const override { return packing_; }

  Status make(const Problem& p, const PlanContext& context, Route route) {
    threads_ = std::max(1, context.threads);
    const PlanThreads plan_threads(threads_);
    engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
    with_bias_ = p.epilogue.bias;
    problem_ = p;
    const Tensor x = input_of(p), y = output_of(p), w = weights_of(p);
    route_ = route;
    CTCONV_RETURN_IF_ERROR(lay_out(x, y, w, route));
    auto by = choose(p, w);
    if (!by.ok()) return by.take_status();
    reorder_weights_.make(engine_, Desc(w.dims, w.type, w.strides), weights_);
    if (reorder_x_) reorder_input_.make(engine_, x.as_it_lies(), x_);
    if (reorder_y_) reorder_output_.make(engine_, y_, y.as_it_lies());
    return size_up(p, *by, context);
  }

  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    try {
      Call call(engine_, runner, threads_);
      if (reorder_weights_.scratch != 0) {
        Buffer buffer(Allocator{}, reorder_weights_.scratch);
        if (!buffer.ok()) return Status(Code::NO_MEMORY, "onednn: no memory to reorder the weight");
        reorder_weights_.run(engine_, call.stream(), w, packed, buffer.data());
      } else {
        reorder_weights_.run(engine_, call.stream(), w, packed, nullptr);
      }
      if (call.broken()) return runner_broke();
      return honours_weights(packed, weights_.get_size(), problem_.types.x);
    } catch (...) {
      return status_in_flight(During::kRun);
    }
  }

  const char* weights_not_honoured() const override { return onednn::weights_not_honoured(problem_.types.x); }
  bool looks_at_input() const override { return onednn::looks_at_input(problem_); }
  Bits bits() const override { return Bits::kMachine; }
  Result<bool> honours_input(const Operands& m, const Runner& runner) const override {
    bool broken = false;
    const bool honoured = onednn::honours_input(problem_, m.x, static_cast<const float*>(m.bias), runner, &broken);
    if (broken) return runner_broke();
    return honoured;
  }

  Status run(const Operands& m, const Runner& runner) const override {
    if (with_bias_ && m.bias == nullptr) return Status(Code::INTERNAL, "onednn: planned with a bias, called without");
    try {
      Call call(engine_, runner, threads_);
      auto* scratch = static_cast<char*>(m.scratch);
      void* pad = scratch + x_bytes_ + y_bytes_;
      const void* x = m.x;
      void* y = m.y;
      if (reorder_x_) {
        reorder_input_.run(engine_, call.stream(), m.x, scratch, pad);
        x = scratch;
      }
      if (reorder_y_) y = scratch + x_bytes_;
      std::unordered_map<int, memory> args = {
          {DNNL_ARG_SRC, memory(x_, engine_, const_cast<void*>(x))},
          {DNNL_ARG_WEIGHTS, memory(weights_, engine_, const_cast<void*>(m.packed))},
          {DNNL_ARG_DST, memory(y_, engine_, y)}};
      if (with_bias_ && !finish_) args.emplace(DNNL_ARG_BIAS, memory(bias_, engine_, m.bias));
      if (scratchpad_.get_size() != 0) args.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad_, engine_, pad));
      deconvolution_.execute(call.stream(), args);
      bool broken = false;
      if (finish_) {
        const auto* bias = with_bias_ ? static_cast<const float*>(m.bias) : nullptr;
        broken = !finish(problem_, static_cast<float*>(y), bias, route_ == Route::kLast, runner);
      }
      if (reorder_y_) reorder_output_.run(engine_, call.stream(), y, m.y, pad);
      if (broken || call.broken()) return runner_broke();
      return {};
    } catch (...) {
      return status_in_flight(During::kRun);
    }
  }

 private:
  // Which sides are reordered, and how x and y lie inside.
  Status lay_out(const Tensor& x, const Tensor& y, const Tensor& w, Route route) {
    reorder_x_ = route == Route::kLast ? !x.channels_last : !x.channels_first;
    reorder_y_ = route == Route::kLast ? !y.channels_last : !y.channels_first;
    if ((reorder_x_ && !x.nested) || (reorder_y_ && !y.nested)) {
      return refuse("onednn: x or y has strides that are not positive and nested");
    }
    if (!w.nested) return refuse("onednn: the weight has strides that are not positive and nested");
    x_ = route == Route::kLast ? x.last() : x.first();
    y_ = route == Route::kLast ? y.last() : y.first();
    return {};
  }

  // Asks oneDNN for a primitive and looks at what it got.
  Result<Implementation> choose(const Problem& p, const Tensor& w) {
    const Geometry g = geometry_of(p);
    const Desc any(w.dims, w.type, memory::format_tag::any);
    if (with_bias_) bias_ = Desc({p.groups * p.co}, memory::data_type::f32, memory::format_tag::a);
    using Forward = dnnl::deconvolution_forward;
    const auto describe = [&](const Desc& bias, const Activation& act) {
      return Forward::primitive_desc(engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
                                     x_, any, bias, y_, g.stride, g.dilation, g.pad_l, g.pad_r, attributes_of(act),
                                     /*allow_empty=*/true);
    };
    auto pd = describe(bias_, p.epilogue.activation);
    // In f32 alone: a narrow y would be rounded twice.
    finish_ = pd && p.types.x == Dtype::kF32 && (p.epilogue.bias || p.epilogue.activation.kind != Activation::kNone) &&
              implementation_of(pd.impl_info_str()).backward_convolution;
    if (finish_) pd = describe(Desc(), Activation());
    if (!pd) return refuse("onednn: no deconvolution for this shape, element type or padding");
    const std::string name = pd.impl_info_str();
    const Implementation by = implementation_of(name);
    if (by.method == Implementation::Method::kReference) {
      return refuse("onednn: only the reference implementation (" + name + ")");
    }
    // It packs the weights anew for every image and group: 13 s for 513 images, a native call takes milliseconds.
    if (by.method == Implementation::Method::kGemm && p.types.x == Dtype::kBf16) {
      return refuse("onednn: the columns method, slow in bf16 (" + name + ")");
    }
    if (by.wrong) return refuse("onednn: an implementation that computes wrong numbers (" + name + ")");
    deconvolution_name_ = name;
    weights_ = pd.weights_desc();
    scratchpad_ = pd.scratchpad_desc();
    deconvolution_ = Forward(pd);
    packing_ = "onednn " + layout_key(weights_);
    return by;
  }

  // Workspace, estimate and the line for describe.
  Status size_up(const Problem& p, const Implementation& by, const PlanContext& context) {
    x_bytes_ = reorder_x_ ? round_up(x_.get_size()) : 0;
    y_bytes_ = reorder_y_ ? round_up(y_.get_size()) : 0;
    scratch_bytes_ =
        x_bytes_ + y_bytes_ + std::max({scratchpad_.get_size(), reorder_input_.scratch, reorder_output_.scratch});
    if (scratch_bytes_ > context.workspace_limit) {
      return refuse("onednn: needs " + std::to_string(scratch_bytes_) + " bytes of workspace, the limit is " +
                    std::to_string(context.workspace_limit));
    }
    seconds_ = onednn::estimated_seconds(p, by, threads_, 2.0 * static_cast<double>(x_bytes_ + y_bytes_));
    form_ = deconvolution_name_ + (route_ == Route::kLast ? ", channels-last" : ", channels-first") +
            (reorder_x_ ? ", x reordered" : "") + (reorder_y_ ? ", y reordered" : "") +
            (finish_ ? ", bias and activation apart" : "") + ", " + runtime_name() +
            (flushes_subnormals(p.types.x) ? ", numbers below 2^-126: x by an exact engine, partial sums to 0" : "");
    return {};
  }

  int32_t threads_ = 1;
  Route route_ = Route::kLast;
  bool with_bias_ = false, reorder_x_ = false, reorder_y_ = false;
  bool finish_ = false;  // bias and activation are ours
  Problem problem_;
  dnnl::engine engine_;
  Desc x_, y_, weights_, bias_, scratchpad_;
  dnnl::deconvolution_forward deconvolution_;
  Reorder reorder_input_, reorder_output_, reorder_weights_;
  size_t x_bytes_ = 0, y_bytes_ = 0, scratch_bytes_ = 0;
  double seconds_ = 0;
  std::string deconvolution_name_, form_, packing_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_kernel(const Problem& p, const PlanContext& context, Route route) {
  try {
    auto kernel = std::make_unique<OnednnKernel>();
    CTCONV_RETURN_IF_ERROR(kernel->make(p, context, route));
    return std::unique_ptr<Kernel>(std::move(kernel));
  } catch (...) {
    return status_in_flight(During::kPlan);
  }
}

}  // namespace ctconv::onednn
