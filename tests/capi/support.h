// SPDX-License-Identifier: Apache-2.0
// The C API as its tests use it: owners for descriptors, ops and tensors, one convolution in words, and its definition.
//
//   in:  a Conv (the canonical dialect's fields);   out: records to hand to the C API, and what y must be
//   Every tensor lies between guard bytes; a y is filled with a pattern first, so that "nothing written" can be seen.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "include/ctconv/ctconv.h"
#include "src/base/dtype.h"

namespace capi {

using ctconv::Dtype;
using Shape = std::vector<int64_t>;

// The device of the program's ops and tensors: the CPU, but in the program that on_device.cpp is part of.
// Cases that say something of the CPU alone carry the tag [cpu]; that program leaves them out.
struct TestDevice {
  const char* name = nullptr;  // of the options; null: the default
  int32_t tensors = CTCONV_DEVICE_CPU;
  int32_t also_here = CTCONV_DEVICE_CUDA_HOST;  // another device type that counts as this one
  std::vector<int32_t> elsewhere = {CTCONV_DEVICE_CUDA, CTCONV_DEVICE_CUDA_MANAGED, 0, 99, -1};
  std::vector<const char*> engines = {"auto", "native", "onednn", "reference"};
  std::vector<const char*> exact_engines = {"auto", "native", "reference"};  // of every build

  bool cpu() const { return name == nullptr; }
};
TestDevice& test_device();
ctconv_options options_init();            // CTCONV_OPTIONS_INIT on that device
const ctconv_options* default_options();  // the same; NULL on the CPU

double load(const void* data, Dtype type, int64_t at);
void store(void* data, Dtype type, int64_t at, double value);

// A tensor between guards; strides default to dense row-major.
class Tensor {
 public:
  explicit Tensor(Shape shape, Dtype type = Dtype::kF32);
  // Any strides: the memory just covers what they reach.
  Tensor(Shape shape, Shape strides, Dtype type = Dtype::kF32);
  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor&) = delete;

  ctconv_tensor* get() { return &record_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  Dtype type() const { return type_; }
  void* data() { return record_.data; }

  Tensor& integers(uint64_t seed);  // -3 .. 3: sums of a few thousand products stay exact in f32
  Tensor& reals(uint64_t seed);     // normal
  Tensor& constant(double value);
  double at(const Shape& index) const;
  void set(const Shape& index, double value);
  std::vector<double> values() const;       // row-major
  std::vector<unsigned char> bits() const;  // of the elements, row-major
  bool guarded() const;                     // nothing beyond the view was written
  bool untouched() const;                   // not even the view

 private:
  void allocate();
  Shape shape_, strides_;
  Dtype type_;
  int64_t origin_ = 0;
  std::vector<unsigned char> bytes_;
  ctconv_tensor record_{};
};

struct Error : ctconv_error {
  Error() : ctconv_error CTCONV_ERROR_INIT {}
  std::string text() const { return std::string(ctconv_status_name(status)) + ": " + message; }
};

class Desc {
 public:
  explicit Desc(const char* dialect);
  ~Desc() { ctconv_desc_destroy(desc_); }
  Desc(Desc&& other) noexcept : desc_(std::exchange(other.desc_, nullptr)) {}
  Desc& set(const char* name, int64_t value);
  Desc& set(const char* name, int value) { return set(name, int64_t{value}); }
  Desc& set(const char* name, bool value);
  Desc& set(const char* name, double value);
  Desc& set(const char* name, const char* value);
  Desc& set(const char* name, const Shape& value);
  Desc& none(const char* name);
  ctconv_desc* get() const { return desc_; }

 private:
  ctconv_desc* desc_ = nullptr;
};

class Op {
 public:
  Op() = default;
  explicit Op(ctconv_op* op) : op_(op) {}
  Op(Op&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
  Op& operator=(Op&& other) noexcept {
    std::swap(op_, other.op_);
    return *this;
  }
  ~Op() { ctconv_destroy(op_); }
  ctconv_op* get() const { return op_; }

 private:
  ctconv_op* op_ = nullptr;
};

// One convolution of the dialect "ctconv".
struct Conv {
  int64_t n = 2, ci = 4, co = 6, groups = 1;  // totals over groups
  Shape in = {5, 7}, k = {3, 3}, s = {2, 2}, d = {1, 1}, lo = {1, 1}, hi = {1, 1}, extra = {0, 0}, tail = {0, 0};
  bool last = false, bias = true;

  size_t rank() const { return in.size(); }
  int64_t core(size_t axis) const {
    return (in[axis] - 1) * s[axis] + d[axis] * (k[axis] - 1) + 1 - lo[axis] - hi[axis] + extra[axis];
  }
  int64_t out(size_t axis) const { return core(axis) + tail[axis]; }
  Shape x_shape() const;
  Shape w_shape() const;
  Shape y_shape() const;
  Desc desc() const;
  // y by the definition, in double: zero tails included. `bias` may be null.
  std::vector<double> scatter(const Tensor& x, const Tensor& w, const Tensor* b) const;
};

// A call record over tensors; any may be null.
ctconv_call call_of(Tensor* x, Tensor* y, Tensor* w = nullptr, Tensor* b = nullptr);

// Creates, and requires success.
Op create(const Desc& desc, Tensor* w, Tensor* b, const ctconv_options* options = nullptr);
void run(const Op& op, const ctconv_call& call);  // executes, and requires success
std::string describe(const Op& op, const ctconv_call* call);
// The value of one line of it, which has to be there.
std::string value_of(const std::string& text, const std::string& key);
std::string engine_of(const Op& op, const ctconv_call& call);

// The failure is `want`, reported in full: kind, a message of more than ten characters, strings that end.
void refused(ctconv_status got, const ctconv_error& error, ctconv_status want);
// The same, and the detail names the argument.
void refused(ctconv_status got, const ctconv_error& error, ctconv_status want, const std::string& argument);

bool valid_utf8(const char* text);

// The seed of randomized tests: CTCONV_TEST_SEED, or always the same one. Failing tests print it.
uint64_t test_seed();

// Random sizes of a few thousand multiply-adds.
Conv random_conv(std::mt19937_64& rng);
int64_t pick(std::mt19937_64& rng, int64_t low, int64_t high);

}  // namespace capi
