// SPDX-License-Identifier: Apache-2.0
// A tensor that owns its data: what is read from and written to .npy, or generated.
//
//   element types float16, bfloat16, float32, float64; strides as read (a fortran_order file is a strided view, not a
//   copy)
//   refuses (Fault ARRAY): more than 8 axes, a negative extent, a size beyond the address space
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "ctconv/ctconv.hpp"

namespace cli {

class Array {
 public:
  Array() = default;
  Array(ctconv::Dtype type, std::vector<int64_t> shape, bool fortran = false);
  // Zeros that no byte was written for: the system gives pages only where they are touched.
  static Array blank(ctconv::Dtype type, std::vector<int64_t> shape);
  Array(Array&&) = default;
  Array& operator=(Array&&) = default;

  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }
  size_t elements() const { return elements_; }
  ctconv::Dtype dtype() const { return type_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  bool fortran() const { return fortran_; }
  ctconv::Tensor tensor() const { return ctconv::Tensor(data_.get(), type_, shape_, strides_); }

  // Element `index` of the memory order, as a double (exact for all four types).
  double get(size_t index) const;
  void set(size_t index, double value);  // rounds to nearest even

 private:
  Array(ctconv::Dtype type, std::vector<int64_t> shape, bool fortran, bool blank);

  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> data_;
  size_t bytes_ = 0, elements_ = 0;
  ctconv::Dtype type_;
  std::vector<int64_t> shape_, strides_;
  bool fortran_ = false;
};

std::string name_of(ctconv::Dtype type);                    // "float32"
bool parse_dtype(const std::string& text, ctconv::Dtype*);  // "float32", "f32", ...
std::string text_of(const std::vector<int64_t>& shape);     // "(1, 3, 4, 9, 16)"

// Uniform in [-1, 1), the same numbers on every machine: splitmix64 of (seed, index).
void fill_random(Array& array, uint64_t seed);
void fill_constant(Array& array, double value);

// Where the numbers of a tensor come from, as written on the command line.
//   FILE.npy | - (standard input) | [random|ones|zeros][:SHAPE][:DTYPE] | SHAPE[:DTYPE]        SHAPE like 1,3,4,9,16
struct Source {
  enum Kind { kDefault, kFile, kRandom, kOnes, kZeros, kNone } kind = kDefault;
  std::string path;
  std::vector<int64_t> shape;  // empty: to be taken from elsewhere
  bool has_dtype = false;
  ctconv::Dtype type;
};
Source parse_source(const std::string& text);  // Fault OPTION
// Fault FILE, NPY_FORMAT, OPTION. shape and type hold where the source names none.
Array load(const Source& source, uint64_t seed, const std::vector<int64_t>& shape, ctconv::Dtype type);

}  // namespace cli
