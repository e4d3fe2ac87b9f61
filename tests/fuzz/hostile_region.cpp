// SPDX-License-Identifier: Apache-2.0
// See hostile_region.h.
#include "tests/fuzz/hostile_region.h"

#include <array>
#include <cstring>
#include <vector>

namespace hostile {
namespace {

using Shape = std::vector<int64_t>;
using Entries = std::array<int64_t, 8>;

constexpr float kUnwritten = -12345.5f;
constexpr size_t kGuard = 16;  // elements behind a tensor

// A dense float32 tensor and its memory.
struct Array {
  Shape shape;
  std::vector<float> values;
  ctconv_tensor record = {};

  Array(Shape extents, float value) : shape(std::move(extents)), values(count() + kGuard, value) {
    record.data = values.data();
    record.device_type = CTCONV_DEVICE_CPU;
    record.ndim = static_cast<int32_t>(shape.size());
    record.dtype_code = CTCONV_DTYPE_FLOAT;
    record.dtype_bits = 32;
    record.dtype_lanes = 1;
    record.shape = shape.data();
  }
  Array(const Array&) = delete;
  Array(Array&&) = default;
  Array& operator=(const Array&) = delete;
  size_t count() const {
    size_t n = 1;
    for (const int64_t extent : shape) n *= static_cast<size_t>(extent);
    return n;
  }
  bool guarded() const {
    for (size_t n = count(); n < values.size(); ++n) {
      if (values[n] != kUnwritten) return false;
    }
    return true;
  }
};

class Life : private Draws {
 public:
  Life(Source& source, std::string* said, RegionCounts* counts) : Draws(source), said_(*said), counts_(*counts) {}
  ~Life() {
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string run();

 private:
  bool fine(const char* call, ctconv_status got) {
    said_ +=
        std::string(call) + " -> " + ctconv_status_name(got) + (got ? ": " + std::string(error_.message) : "") + "\n";
    const std::string fault = fault_of(got, error_);
    if (!fault.empty()) fault_ = std::string(call) + ": " + fault;
    return fault.empty();
  }
  void fail(const char* what) { fault_ = what; }

  void axes(const char* name, int64_t low, int64_t high);
  bool make_op();
  bool whole();
  void fill(Array* a);
  size_t spatial(size_t a) const { return last_ ? a + 1 : a + 2; }
  Array part_of(const Array& from, const Entries& begin, const Entries& end) const;
  void box();
  void try_box(const ctconv_call& call, const Array& want);
  void spoil(ctconv_call call);

  std::string& said_;
  RegionCounts& counts_;
  std::string fault_;
  ctconv_error error_ = CTCONV_ERROR_INIT;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  size_t rank_ = 1;
  int64_t n_ = 1, ci_ = 1;
  bool last_ = false;
  std::vector<Array> x_, y_;  // one of each, once they are there
  Entries begin_{}, end_{}, x_begin_{}, x_end_{}, x_shape_{};
};

void Life::axes(const char* name, int64_t low, int64_t high) {
  Shape values(rank_);
  said_ += name;
  for (int64_t& v : values) {
    v = between(low, high);
    said_ += " " + std::to_string(v);
  }
  said_ += "\n";
  ctconv_desc_set_ints(desc_, name, values.data(), rank_);
}

void Life::fill(Array* a) {
  for (size_t n = 0; n < a->count(); ++n) a->values[n] = static_cast<float>(between(-8, 8)) / 8;
}

bool Life::make_op() {
  rank_ = static_cast<size_t>(between(1, 3));
  n_ = between(1, 2);
  const int64_t groups = chance(3) ? 2 : 1;
  ci_ = groups * between(1, 3);
  const int64_t co = groups * between(1, 3), most = rank_ == 3 ? 2 : 4;
  last_ = chance(2);
  if (!fine("desc_create", ctconv_desc_create("ctconv", &desc_, &error_))) return false;
  ctconv_desc_set_int(desc_, "in_channels", ci_);
  ctconv_desc_set_int(desc_, "out_channels", co);
  ctconv_desc_set_int(desc_, "groups", groups);
  axes("kernel_size", 1, most + 1);
  axes("stride", 1, most);
  axes("dilation", 1, 3);
  axes("pad_begin", 0, 3);
  axes("pad_end", 0, 2);
  axes("output_padding", 0, 2);
  if (chance(4)) axes("zero_tail", 0, 2);
  ctconv_desc_set_string(desc_, "data_format", last_ ? "channels_last" : "channels_first");
  ctconv_spec spec;
  const ctconv_status specified = ctconv_desc_weight_spec(desc_, nullptr, &spec, nullptr, &error_);
  if (!fine("weight_spec", specified) || specified != CTCONV_OK) return false;
  Array w(Shape(spec.shape, spec.shape + spec.ndim), 0);
  fill(&w);
  constexpr const char* kEngines[] = {"auto", "native", "reference"};
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.engine = kEngines[s_.below(std::size(kEngines))];
  options.threads = 1;
  options.reproducible = 1;
  const ctconv_status created = ctconv_create(desc_, &w.record, nullptr, &options, &op_, &error_);
  return fine("create", created) && created == CTCONV_OK;
}

// The layer's x and y. False: it has no output.
bool Life::whole() {
  Shape x_shape = {n_};
  if (!last_) x_shape.push_back(ci_);
  for (size_t a = 0; a < rank_; ++a) x_shape.push_back(between(1, rank_ == 1 ? 24 : 5));
  if (last_) x_shape.push_back(ci_);
  x_.emplace_back(x_shape, kUnwritten);
  fill(&x_[0]);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x_[0].record;
  ctconv_spec spec;
  const ctconv_status shaped = ctconv_output_spec(op_, &call, &spec, &error_);
  if (!fine("output_spec", shaped) || shaped != CTCONV_OK) return false;
  y_.emplace_back(Shape(spec.shape, spec.shape + spec.ndim), kUnwritten);
  for (const int64_t extent : y_[0].shape) {
    if (extent == 0) return false;
  }
  call.y = &y_[0].record;
  const ctconv_status ran = ctconv_execute(op_, &call, &error_);
  if (!fine("execute", ran) || ran != CTCONV_OK) return false;
  if (!y_[0].guarded()) fail("execute: wrote beyond y");
  ++counts_.layers;
  return true;
}

// The part [begin, end) of the spatial axes.
Array Life::part_of(const Array& from, const Entries& begin, const Entries& end) const {
  Shape shape = from.shape;
  for (size_t a = 0; a < rank_; ++a) shape[spatial(a)] = end[a] - begin[a];
  Array part(shape, kUnwritten);
  Shape at(shape.size(), 0);
  for (size_t n = 0; n < part.count(); ++n) {
    int64_t place = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      int64_t entry = at[axis];
      for (size_t a = 0; a < rank_; ++a) entry += spatial(a) == axis ? begin[a] : 0;
      place = place * from.shape[axis] + entry;
    }
    part.values[n] = from.values[static_cast<size_t>(place)];
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return part;
}

// A legal call into fresh memory.
void Life::try_box(const ctconv_call& given, const Array& want) {
  Array y(want.shape, kUnwritten);
  ctconv_call call = given;
  call.y = &y.record;
  ctconv_spec spec;
  if (!fine("output_spec", ctconv_output_spec(op_, &call, &spec, &error_))) return;
  if (Shape(spec.shape, spec.shape + spec.ndim) != want.shape) return fail("output_spec: another shape than the box");
  const ctconv_status ran = ctconv_execute(op_, &call, &error_);
  if (!fine("execute", ran)) return;
  if (ran != CTCONV_OK) return fail("execute: a legal box is refused");
  if (!y.guarded()) return fail("execute: wrote beyond the box");
  if (std::memcmp(y.values.data(), want.values.data(), want.count() * sizeof(float)) != 0) {
    fail("execute: a box has other bits than the whole call");
  }
}

// The same call with extreme numbers; the tensors stay what they are.
void Life::spoil(ctconv_call call) {
  Entries begin = begin_, end = end_, x_begin = x_begin_, x_shape = x_shape_;
  Entries* const all[] = {&begin, &end, &x_begin, &x_shape};
  for (int64_t n = between(1, 3); n > 0; --n) (*all[s_.below(4)])[s_.below(5)] = extreme();
  const Entries untouched = begin;
  call.begin = begin.data();
  call.end = chance(12) ? nullptr : end.data();
  if (call.x_begin != nullptr || chance(3)) call.x_begin = x_begin.data();
  if (call.x_shape != nullptr || chance(3)) call.x_shape = x_shape.data();
  Entries from{}, to{};
  if (!fine("region_window", ctconv_region_window(op_, &call, from.data(), to.data(), &error_))) return;
  ctconv_spec spec;
  const ctconv_status shaped = ctconv_output_spec(op_, &call, &spec, &error_);
  if (!fine("output_spec", shaped)) return;
  double elements = 1;
  for (int32_t a = 0; shaped == CTCONV_OK && a < spec.ndim; ++a) elements *= static_cast<double>(spec.shape[a]);
  if (elements > 1e5) return;
  Array y(shaped == CTCONV_OK ? Shape(spec.shape, spec.shape + spec.ndim) : y_[0].shape, kUnwritten);
  call.y = &y.record;
  const ctconv_status ran = ctconv_execute(op_, &call, &error_);
  if (!fine("execute", ran)) return;
  if (!y.guarded()) return fail("execute: wrote beyond y");
  for (size_t n = 0; ran != CTCONV_OK && n < y.count(); ++n) {
    if (y.values[n] != kUnwritten) return fail("execute: a refusal wrote to y");
  }
  counts_.refused += ran != CTCONV_OK;
  if (begin != untouched) fail("execute: begin was written");
}

void Life::box() {
  for (size_t a = 0; a < rank_; ++a) {
    const int64_t out = y_[0].shape[spatial(a)];
    begin_[a] = between(0, out - 1);
    end_[a] = between(begin_[a] + 1, out);
    said_ += "[" + std::to_string(begin_[a]) + ", " + std::to_string(end_[a]) + ") ";
  }
  const Array want = part_of(y_[0], begin_, end_);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x_[0].record;
  call.begin = begin_.data();
  call.end = end_.data();
  const ctconv_status asked = ctconv_region_window(op_, &call, x_begin_.data(), x_end_.data(), &error_);
  if (!fine("region_window", asked)) return;
  if (asked != CTCONV_OK) return fail("region_window: a legal box is refused");
  for (size_t a = 0; a < x_[0].shape.size(); ++a) x_shape_[a] = x_[0].shape[a];
  for (size_t a = 0; a < rank_; ++a) {
    if (x_begin_[a] < 0 || x_end_[a] <= x_begin_[a] || x_end_[a] > x_[0].shape[spatial(a)]) {
      return fail("region_window: no window of x");
    }
  }
  ++counts_.boxes;
  if (chance(2)) {
    try_box(call, want);
    return fault_.empty() && chance(2) ? spoil(call) : void();
  }
  Array window = part_of(x_[0], x_begin_, x_end_);
  call.x = &window.record;
  call.x_begin = x_begin_.data();
  call.x_shape = x_shape_.data();
  ++counts_.windows;
  try_box(call, want);
  if (fault_.empty() && chance(2)) spoil(call);
}

std::string Life::run() {
  if (!make_op() || !whole()) return fault_;
  for (int64_t n = between(1, 6); n > 0 && fault_.empty(); --n) box();
  return fault_;
}

}  // namespace

std::string one_region(Source& source, std::string* said, RegionCounts* counts) {
  return Life(source, said, counts).run();
}

}  // namespace hostile
