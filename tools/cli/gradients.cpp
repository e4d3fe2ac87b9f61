// SPDX-License-Identifier: Apache-2.0
// Backward calls through the C++ header. x is always given: it tells the shape where its numbers are not read.
#include "tools/cli/gradients.h"

#include <cmath>

namespace cli {
namespace {

Array absolute(const Array& a) {
  Array out(a.dtype(), a.shape(), a.fortran());
  for (size_t i = 0; i < a.elements(); ++i) out.set(i, std::fabs(a.get(i)));
  return out;
}

std::optional<ctconv::Tensor> tensor_of(const std::optional<Array>& array) {
  return array ? std::optional<ctconv::Tensor>(array->tensor()) : std::nullopt;
}

const ctconv::Tensor* pointer_to(const std::optional<ctconv::Tensor>& tensor) { return tensor ? &*tensor : nullptr; }

// The record of one call with the tensors it points at.
struct Call {
  std::optional<ctconv::Tensor> dx, dw, db;
  ctconv::Tensor dy, x, y;
  ctconv::Gradients record;

  Call(const Array& given_dy, const Array& given_x, const Array& given_y, const Written& written,
       const ctconv::CallExtras& extras)
      : dx(tensor_of(written.dx)),
        dw(tensor_of(written.dw)),
        db(tensor_of(written.db)),
        dy(given_dy.tensor()),
        x(given_x.tensor()),
        y(given_y.tensor()) {
    record.x = &x;
    record.y = &y;
    record.dx = pointer_to(dx);
    record.dw = pointer_to(dw);
    record.db = pointer_to(db);
    record.output_size = extras.output_size;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
};

}  // namespace

std::string name_of(Wanted wanted) {
  const char* names[] = {"dx", "dw", "all"};
  return names[static_cast<int>(wanted)];
}

Gradients::Gradients(const Layer& layer, const ctconv::Op& op) : layer_(layer), y_(layer.execute(op)) {
  dy_ = Array(y_.dtype(), y_.shape());
  fill_random(dy_, layer.request.seed + 3);
}

Written Gradients::allocate(Wanted wanted) const {
  Written out;
  if (wanted != Wanted::kDw) out.dx = Array(layer_.x.dtype(), layer_.x.shape());
  if (wanted == Wanted::kDx) return out;
  out.dw = Array(layer_.weight->dtype(), layer_.weight->shape());
  if (layer_.bias) out.db = Array(layer_.bias->dtype(), layer_.bias->shape());
  return out;
}

void Gradients::run(const ctconv::Op& op, Written* written) const {
  const Call call(dy_, layer_.x, y_, *written, layer_.extras());
  op.backward(call.dy, call.record);
}

Facts Gradients::describe(const ctconv::Op& op, Wanted wanted) const {
  const Call call(dy_, layer_.x, y_, allocate(wanted), layer_.extras());
  return Facts(op.backward_describe(call.dy, call.record));
}

// The slopes of the activations are at least 0, so a sum over magnitudes goes through them as it is.
Written Gradients::magnitude() const {
  const Array x = absolute(layer_.x), weight = absolute(*layer_.weight), dy = absolute(dy_);
  const ctconv::Options options = layer_.options("reference", 0);
  const ctconv::Op op = layer_.bias ? ctconv::Op(layer_.desc, weight.tensor(), layer_.bias->tensor(), options)
                                    : ctconv::Op(layer_.desc, weight.tensor(), options);
  Written out = allocate(Wanted::kAll);
  const Call call(dy, x, y_, out, layer_.extras());
  op.backward(call.dy, call.record);
  return out;
}

double flop_of(const Facts& facts) { return facts.number("dx.flop") + facts.number("dw.flop"); }

}  // namespace cli
