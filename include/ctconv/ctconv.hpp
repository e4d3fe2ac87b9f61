/* SPDX-License-Identifier: Apache-2.0 */
// libctconv for C++17: owning handles and exceptions, header only, on top of ctconv.h (which is the manual).
//
//   in:  the words of one documented operator and borrowed tensors;   out: the same calls as ctconv.h
//   A failed call throws ctconv::error; nothing else is added: no copy of your data, no state of its own.
//
//   ctconv::Desc desc("torch.nn.ConvTranspose2d");
//   desc.set("in_channels", 3).set("out_channels", 8).set("kernel_size", {4, 4}).set("stride", 2);
//   ctconv::Op op(desc, ctconv::view(weight, {3, 8, 4, 4}), ctconv::view(bias, {8}));  // vectors, arrays, spans
//   ctconv::Array y = op(ctconv::view(input, {1, 3, 16, 16}));                         // owns its memory, or:
//   op.execute(ctconv::view(input, {1, 3, 16, 16}), ctconv::view(output, {1, 8, 34, 34}));
//
// Moved-from handles are empty: only destruction and assignment are allowed. Threads: as ctconv.h says of the C
// objects.
#ifndef CTCONV_HPP_
#define CTCONV_HPP_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ctconv.h"
#include "ctconv_tensor.hpp"

namespace ctconv {
inline namespace cxx {  // symbols of their own: a program may hold another `ctconv` inside

// ---- argument values ------------------------------------------------------------------------------------------------

// One argument as a caller's language gives it: None, bool, int, float, string, tuple, list or tensor, each its own
// type.
class Value {
 public:
  Value() = default;  // None
  Value(std::nullptr_t) {}
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Value(T v) {
    if constexpr (std::is_same_v<T, bool>) {
      tag_ = CTCONV_VALUE_BOOL;
      int_ = v ? 1 : 0;
    } else if constexpr (std::is_floating_point_v<T>) {
      tag_ = CTCONV_VALUE_FLOAT;
      float_ = static_cast<double>(v);
    } else {
      tag_ = CTCONV_VALUE_INT;
      if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
        int_ = v > INT64_MAX ? INT64_MAX : static_cast<int64_t>(v);
      else
        int_ = static_cast<int64_t>(v);
    }
  }
  Value(const char* s) : tag_(CTCONV_VALUE_STRING), text_(s) {}
  Value(std::string s) : tag_(CTCONV_VALUE_STRING), text_(std::move(s)) {}
  Value(const ConstTensor& t) : tag_(CTCONV_VALUE_TENSOR), tensor_(std::make_shared<const ConstTensor>(t)) {}
  // A tuple of numbers.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, int> = 0>
  Value(const std::vector<T>& items) : tag_(CTCONV_VALUE_TUPLE), items_(items.begin(), items.end()) {}
  static Value sequence(int32_t tag, std::vector<Value> items) {
    Value v;
    v.tag_ = tag;
    v.items_ = std::move(items);
    return v;
  }
  static Value other(std::string type_name) {
    Value v(std::move(type_name));
    v.tag_ = CTCONV_VALUE_OTHER;
    return v;
  }

  int32_t tag() const { return tag_; }
  int64_t as_int() const { return int_; }
  double as_float() const { return float_; }
  const std::string& text() const { return text_; }
  const std::vector<Value>& items() const { return items_; }

  // The C record, valid while `store` and *this live; store takes the arrays of nested items.
  struct Store {
    std::deque<std::vector<ctconv_value>> values;
    std::deque<ctconv_tensor> tensors;
  };
  ctconv_value c(Store& store) const {
    ctconv_value v = {tag_, 0, int_, float_, nullptr, nullptr, nullptr};
    if (tag_ == CTCONV_VALUE_STRING || tag_ == CTCONV_VALUE_OTHER) {
      v.text = text_.data();
      v.i = static_cast<int64_t>(text_.size());
    } else if (tag_ == CTCONV_VALUE_TUPLE || tag_ == CTCONV_VALUE_LIST) {
      std::vector<ctconv_value> inner;
      for (const Value& item : items_) inner.push_back(item.c(store));
      store.values.push_back(std::move(inner));
      v.items = store.values.back().data();
      v.i = static_cast<int64_t>(items_.size());
    } else if (tag_ == CTCONV_VALUE_TENSOR) {
      store.tensors.push_back(tensor_->c());
      v.tensor = &store.tensors.back();
    }
    return v;
  }

 private:
  int32_t tag_ = CTCONV_VALUE_NONE;
  int64_t int_ = 0;
  double float_ = 0;
  std::string text_;
  std::vector<Value> items_;
  std::shared_ptr<const ConstTensor> tensor_;
};

inline Value tuple(std::vector<Value> items) { return Value::sequence(CTCONV_VALUE_TUPLE, std::move(items)); }
inline Value list(std::vector<Value> items) { return Value::sequence(CTCONV_VALUE_LIST, std::move(items)); }

// ---- descriptors and ops --------------------------------------------------------------------------------------------

struct WeightSpec {
  ctconv_spec weight, bias;  // bias.ndim 0: none
};

class Desc {
 public:
  explicit Desc(const std::string& dialect) {
    ctconv_error e = CTCONV_ERROR_INIT;
    ctconv_desc* raw = nullptr;
    check(ctconv_desc_create(dialect.c_str(), &raw, &e), e);
    desc_.reset(raw);
  }
  // Copies, judges nothing: validate() and Op() judge all arguments in the dialect's documented order.
  Desc& set(const std::string& name, const Value& value) {
    Value::Store store;
    const ctconv_value v = value.c(store);
    check(ctconv_desc_set(desc_.get(), name.c_str(), &v));
    return *this;
  }
  // A tuple of numbers: set("kernel_size", {4, 4}). Of one, too: {4} is (4,), 4 is the number.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Desc& set(const std::string& name, std::initializer_list<T> items) {
    return set(name, Value::sequence(CTCONV_VALUE_TUPLE, std::vector<Value>(items.begin(), items.end())));
  }
  void validate() const {
    ctconv_error e = CTCONV_ERROR_INIT;
    check(ctconv_desc_validate(get(), &e), e);
  }
  WeightSpec weight_spec(const ConstTensor* x = nullptr) const {
    ctconv_error e = CTCONV_ERROR_INIT;
    WeightSpec out{};
    ctconv_tensor cx{};
    if (x) cx = x->c();
    check(ctconv_desc_weight_spec(get(), x ? &cx : nullptr, &out.weight, &out.bias, &e), e);
    return out;
  }
  void init_weight(uint64_t seed, const Tensor& out) const {
    ctconv_error e = CTCONV_ERROR_INIT;
    const ctconv_tensor t = out.c();
    check(ctconv_init_weight(get(), seed, &t, &e), e);
  }
  void init_bias(uint64_t seed, const Tensor& out) const {
    ctconv_error e = CTCONV_ERROR_INIT;
    const ctconv_tensor t = out.c();
    check(ctconv_init_bias(get(), seed, &t, &e), e);
  }
  // A new weight or bias by the dialect's initialiser; no bias where the arguments say there is none.
  Array make_weight(uint64_t seed) const {
    Array out(weight_spec().weight);
    init_weight(seed, out);
    return out;
  }
  std::optional<Array> make_bias(uint64_t seed) const {
    const ctconv_spec spec = weight_spec().bias;
    if (spec.ndim == 0) return std::nullopt;
    Array out(spec);
    init_bias(seed, out);
    return out;
  }
  const ctconv_desc* get() const { return desc_.get(); }

 private:
  struct Destroy {
    void operator()(ctconv_desc* p) const { ctconv_desc_destroy(p); }
  };
  std::unique_ptr<ctconv_desc, Destroy> desc_;
};

// ctconv_options with every default: Options o; o.threads = 2; o.engine = "native";
struct Options : ctconv_options {
  Options() : ctconv_options(CTCONV_OPTIONS_INIT) {}
};

// What a call may carry besides x and y.
struct CallExtras {
  const ConstTensor* weight = nullptr;
  const ConstTensor* bias = nullptr;
  const Value* output_size = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  void* stream = nullptr;
  // A region of the output, an entry per spatial axis; x_begin and x_shape where x is a window (Regions in ctconv.h).
  const std::int64_t *begin = nullptr, *end = nullptr, *x_begin = nullptr, *x_shape = nullptr;
};

// What a backward call reads besides dy, and the gradients it writes; at least one of dx, dw, db.
struct Gradients {
  const ConstTensor *x = nullptr, *y = nullptr, *weight = nullptr;
  const Tensor *dx = nullptr, *dw = nullptr, *db = nullptr;
  const Value* output_size = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  void* stream = nullptr;
  bool accumulate = false;  // added to what dx, dw, db hold
  const std::int64_t *begin = nullptr, *end = nullptr, *x_begin = nullptr, *x_shape = nullptr;  // as in CallExtras
};

class Op {
 public:
  // The weight is copied (unless options.borrow_weights); without one it comes with every call.
  explicit Op(const Desc& desc, const Options& options = Options()) { create(desc, nullptr, nullptr, options); }
  Op(const Desc& desc, const ConstTensor& weight, const Options& options = Options()) {
    create(desc, &weight, nullptr, options);
  }
  Op(const Desc& desc, const ConstTensor& weight, const ConstTensor& bias, const Options& options = Options()) {
    create(desc, &weight, &bias, options);
  }
  Op(const Desc& desc, const Array& weight, const std::optional<Array>& bias, const Options& options = Options()) {
    if (!bias) {
      const ConstTensor w = weight;
      create(desc, &w, nullptr, options);
    } else {
      const ConstTensor w = weight, b = *bias;
      create(desc, &w, &b, options);
    }
  }

  // Computes y into memory of its own.
  Array operator()(const ConstTensor& x, const CallExtras& extras = {}) const {
    Array y(output_spec(x, extras));
    execute(x, y, extras);
    return y;
  }

  ctconv_spec output_spec(const ConstTensor& x, const CallExtras& extras = {}) const {
    const Call call(&x, nullptr, extras);
    ctconv_error e = CTCONV_ERROR_INIT;
    ctconv_spec y{};
    check(ctconv_output_spec(get(), &call.c, &y, &e), e);
    return y;
  }
  // Builds the plan ahead of time; returns the bytes of workspace an execute needs.
  std::size_t prepare(const ConstTensor& x, const CallExtras& extras = {}, const Tensor* y = nullptr) const {
    const Call call(&x, y, extras);
    ctconv_error e = CTCONV_ERROR_INIT;
    std::size_t bytes = 0;
    check(ctconv_prepare(get(), &call.c, &bytes, &e), e);
    return bytes;
  }
  void execute(const ConstTensor& x, const Tensor& y, const CallExtras& extras = {}) const {
    const Call call(&x, &y, extras);
    ctconv_error e = CTCONV_ERROR_INIT;
    check(ctconv_execute(get(), &call.c, &e), e);
  }
  // The window of x that the region of extras reads: first positions, and those one past the last.
  void region_window(const ConstTensor& x, const CallExtras& extras, std::int64_t* x_begin, std::int64_t* x_end) const {
    const Call call(&x, nullptr, extras);
    ctconv_error e = CTCONV_ERROR_INIT;
    check(ctconv_region_window(get(), &call.c, x_begin, x_end, &e), e);
  }
  // `key: value` lines: which engine, why, flop, bytes, workspace.
  std::string describe(const ConstTensor& x, const CallExtras& extras = {}, const Tensor* y = nullptr) const {
    const Call call(&x, y, extras);
    return describe(&call.c);
  }
  std::string describe() const { return describe(nullptr); }

  // The same three for gradients.
  std::size_t backward_prepare(const ConstTensor& dy, const Gradients& gradients) const {
    const BackwardCall call(dy, gradients);
    ctconv_error e = CTCONV_ERROR_INIT;
    std::size_t bytes = 0;
    check(ctconv_backward_prepare(get(), &call.g, &bytes, &e), e);
    return bytes;
  }
  void backward(const ConstTensor& dy, const Gradients& gradients) const {
    const BackwardCall call(dy, gradients);
    ctconv_error e = CTCONV_ERROR_INIT;
    check(ctconv_backward(get(), &call.g, &e), e);
  }
  std::string backward_describe(const ConstTensor& dy, const Gradients& gradients) const {
    const BackwardCall call(dy, gradients);
    return text_of([&](char* to, std::size_t cap, std::size_t* needed, ctconv_error* e) {
      return ctconv_backward_describe(get(), &call.g, to, cap, needed, e);
    });
  }
  const ctconv_op* get() const { return op_.get(); }

 private:
  struct Destroy {
    void operator()(ctconv_op* p) const { ctconv_destroy(p); }
  };
  // The C call record with everything it points at.
  struct Call {
    ctconv_tensor x{}, y{}, weight{}, bias{};
    Value::Store store;
    ctconv_value output_size{};
    ctconv_call c = CTCONV_CALL_INIT;
    Call(const ConstTensor* tx, const Tensor* ty, const CallExtras& extras) {
      if (tx) {
        x = tx->c();
        c.x = &x;
      }
      if (ty) {
        y = ty->c();
        c.y = &y;
      }
      if (extras.weight) {
        weight = extras.weight->c();
        c.weight = &weight;
      }
      if (extras.bias) {
        bias = extras.bias->c();
        c.bias = &bias;
      }
      if (extras.output_size) {
        output_size = extras.output_size->c(store);
        c.output_size = &output_size;
      }
      c.workspace = extras.workspace;
      c.workspace_bytes = extras.workspace_bytes;
      c.stream = extras.stream;
      c.begin = extras.begin;
      c.end = extras.end;
      c.x_begin = extras.x_begin;
      c.x_shape = extras.x_shape;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
  };

  // The C grads record with everything it points at.
  struct BackwardCall {
    ctconv_tensor tensors[7]{};
    Value::Store store;
    ctconv_value output_size{};
    ctconv_grads g = CTCONV_GRADS_INIT;
    BackwardCall(const ConstTensor& dy, const Gradients& given) {
      g.dy = keep(0, &dy);
      g.x = keep(1, given.x);
      g.y = keep(2, given.y);
      g.weight = keep(3, given.weight);
      g.dx = keep(4, given.dx);
      g.dw = keep(5, given.dw);
      g.db = keep(6, given.db);
      if (given.output_size) {
        output_size = given.output_size->c(store);
        g.output_size = &output_size;
      }
      g.workspace = given.workspace;
      g.workspace_bytes = given.workspace_bytes;
      g.stream = given.stream;
      g.accumulate = given.accumulate ? 1 : 0;
      g.begin = given.begin;
      g.end = given.end;
      g.x_begin = given.x_begin;
      g.x_shape = given.x_shape;
    }
    BackwardCall(const BackwardCall&) = delete;
    BackwardCall& operator=(const BackwardCall&) = delete;

   private:
    template <class View>
    const ctconv_tensor* keep(int at, const View* view) {
      if (!view) return nullptr;
      tensors[at] = view->c();
      return &tensors[at];
    }
  };

  void create(const Desc& desc, const ConstTensor* weight, const ConstTensor* bias, const ctconv_options& options) {
    ctconv_error e = CTCONV_ERROR_INIT;
    ctconv_tensor w{}, b{};
    if (weight) w = weight->c();
    if (bias) b = bias->c();
    ctconv_op* raw = nullptr;
    check(ctconv_create(desc.get(), weight ? &w : nullptr, bias ? &b : nullptr, &options, &raw, &e), e);
    op_.reset(raw);
  }
  std::string describe(const ctconv_call* call) const {
    return text_of([&](char* to, std::size_t cap, std::size_t* needed, ctconv_error* e) {
      return ctconv_describe(get(), call, to, cap, needed, e);
    });
  }
  // What write(to, cap, needed, error) writes, asked for its size first.
  template <class Write>
  static std::string text_of(Write write) {
    ctconv_error e = CTCONV_ERROR_INIT;
    std::size_t needed = 0;
    check(write(nullptr, 0, &needed, &e), e);
    std::string text(needed, '\0');
    check(write(text.data(), text.size(), &needed, &e), e);
    text.resize(text.empty() ? 0 : text.size() - 1);
    return text;
  }

  std::unique_ptr<ctconv_op, Destroy> op_;
};

}  // namespace cxx
}  // namespace ctconv

#endif  // CTCONV_HPP_
