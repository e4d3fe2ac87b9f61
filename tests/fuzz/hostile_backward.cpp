// SPDX-License-Identifier: Apache-2.0
// See hostile_backward.h.
#include "tests/fuzz/hostile_backward.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

namespace hostile {
namespace {

enum Slot { kDy, kX, kY, kW, kDx, kDw, kDb, kSlots };
constexpr const char* kNames[kSlots] = {"dy", "x", "y", "weight", "dx", "dw", "db"};
constexpr size_t kGuard = 64, kArena = size_t{1} << 17, kWorkspace = size_t{1} << 14;
constexpr unsigned char kGiven = 0x3C, kUnwritten = 0xA5;  // a small positive number in every type; a pattern

// A tensor with its extents and strides.
struct Owned {
  ctconv_tensor record = {};
  std::vector<int64_t> shape, strides;

  void point() {
    record.ndim = static_cast<int32_t>(shape.size());
    record.shape = shape.data();
    record.strides = strides.data();
  }
};

// The bytes an element range of a record covers, relative to its data; false where they cannot be told.
struct Reach {
  __int128 begin = 0, end = 0;
};

bool reach_of(const ctconv_tensor& t, Reach* out) {
  if (t.ndim < 0 || t.ndim > 8 || (t.ndim > 0 && t.shape == nullptr)) return false;
  __int128 low = 0, high = 0, dense = 1;
  for (int32_t a = t.ndim - 1; a >= 0; --a) {
    if (t.shape[a] <= 0) return t.shape[a] == 0;  // nothing is touched
    const __int128 stride = t.strides != nullptr ? __int128{t.strides[a]} : dense;
    dense = std::min(dense * t.shape[a], __int128{1} << 100);
    const __int128 last = stride * (t.shape[a] - 1);
    (last < 0 ? low : high) += last;
  }
  const __int128 bytes = std::max(t.dtype_bits / 8, 1);
  const __int128 offset = t.byte_offset;
  *out = {low * bytes + offset, (high + 1) * bytes + offset};
  return true;
}

class Call : private Draws {
 public:
  Call(Source& source, std::string* said, BackwardCounts* counts)
      : Draws(source), said_(*said), counts_(*counts), arena_(kArena + kWorkspace + 64, kGiven) {}
  ~Call() {
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string run();

 private:
  void say(const std::string& line) { said_ += line + "\n"; }

  // Notes an answer; false and fault_ set where its report is incomplete.
  bool fine(const char* call, ctconv_status got) {
    say(std::string(call) + " -> " + ctconv_status_name(got) + (got ? ": " + std::string(error_.message) : ""));
    const std::string fault = fault_of(got, error_);
    if (!fault.empty()) fault_ = std::string(call) + ": " + fault;
    return fault.empty();
  }

  void describe_op();
  bool make_op();
  void place(Slot slot, const int64_t* shape, int32_t ndim);
  void make_tensors();
  void want();
  void spoil();
  void spoil_tensor();
  void spoil_call();
  bool inside() const;
  std::vector<bool> writable() const;
  std::string judge(ctconv_status prepared, size_t bytes);

  std::string& said_;
  BackwardCounts& counts_;
  std::string fault_;
  ctconv_error error_ = CTCONV_ERROR_INIT;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  size_t rank_ = 1;
  int64_t ci_ = 1;
  bool last_ = false, own_weight_ = false, acts_ = false;
  uint8_t code_ = CTCONV_DTYPE_FLOAT, bits_ = 32;
  std::vector<unsigned char> arena_;
  size_t used_ = 0;
  Owned tensors_[kSlots];
  // A struct_size may claim a tail, which is read.
  struct Padded {
    ctconv_grads grads = CTCONV_GRADS_INIT;
    unsigned char tail[64 * 1024] = {};
  } padded_;
  ctconv_grads& grads_ = padded_.grads;
  ctconv_value size_ = {};
  std::array<int64_t, 8> begin_{}, end_{}, x_begin_{}, x_shape_{};  // of a region
};

void Call::describe_op() {
  rank_ = static_cast<size_t>(between(1, 3));
  const auto axes = [&](const char* name, int64_t low, int64_t high) {
    std::vector<int64_t> values(rank_);
    for (int64_t& v : values) v = between(low, high);
    ctconv_desc_set_ints(desc_, name, values.data(), static_cast<int32_t>(rank_));
  };
  const int64_t groups = between(1, 2);
  ci_ = groups * between(1, 2);
  ctconv_desc_set_int(desc_, "in_channels", ci_);
  ctconv_desc_set_int(desc_, "out_channels", groups * between(1, 2));
  ctconv_desc_set_int(desc_, "groups", groups);
  const int64_t largest = rank_ == 3 ? 2 : 3;
  axes("kernel_size", 1, largest);
  axes("stride", 1, largest);
  axes("dilation", 1, 2);
  axes("pad_begin", 0, 1);
  axes("output_padding", 0, rank_ == 3 ? 1 : 3);
  if (chance(3)) axes("zero_tail", 0, 1);
  last_ = chance(2);
  ctconv_desc_set_string(desc_, "data_format", last_ ? "channels_last" : "channels_first");
  constexpr std::pair<uint8_t, uint8_t> kTypes[] = {
      {CTCONV_DTYPE_FLOAT, 32}, {CTCONV_DTYPE_FLOAT, 64}, {CTCONV_DTYPE_FLOAT, 16}, {CTCONV_DTYPE_BFLOAT, 16}};
  std::tie(code_, bits_) = kTypes[s_.below(std::size(kTypes))];
}

// Lays a tensor into the arena: any order of axes, now and then with gaps or backwards.
void Call::place(Slot slot, const int64_t* shape, int32_t ndim) {
  Owned& t = tensors_[slot];
  t.shape.assign(shape, shape + ndim);
  t.strides.assign(t.shape.size(), 1);
  std::vector<size_t> order(t.shape.size());
  for (size_t a = 0; a < order.size(); ++a) order[a] = order.size() - 1 - a;
  if (chance(3)) std::swap(order[s_.below(order.size())], order[s_.below(order.size())]);
  int64_t step = chance(4) ? 2 : 1, origin = 0;
  for (const size_t a : order) {
    t.strides[a] = step;
    step *= std::max<int64_t>(t.shape[a], 1);
    if (!chance(8)) continue;
    origin += (std::max<int64_t>(t.shape[a], 1) - 1) * t.strides[a];
    t.strides[a] = -t.strides[a];
  }
  const int64_t element = bits_ / 8;
  t.record.data = arena_.data() + used_ + origin * element;
  t.record.device_type = CTCONV_DEVICE_CPU;
  t.record.dtype_code = code_;
  t.record.dtype_bits = bits_;
  t.record.dtype_lanes = 1;
  t.point();
  const size_t bytes = static_cast<size_t>(step * element);
  if (used_ + bytes + kGuard > kArena) std::abort();  // extents were drawn too large
  std::memset(arena_.data() + used_, slot >= kDx ? kUnwritten : kGiven, bytes);
  used_ += (bytes + kGuard + 63) / 64 * 64;
}

// An op whose extents leave an output; false: this one has none.
bool Call::make_op() {
  if (!fine("desc_create", ctconv_desc_create("ctconv", &desc_, &error_))) return false;
  describe_op();
  ctconv_options options = CTCONV_OPTIONS_INIT;
  constexpr const char* kEngines[] = {nullptr, "auto", "reference"};
  options.engine = kEngines[s_.below(std::size(kEngines))];
  options.threads = static_cast<int32_t>(between(1, 2));
  acts_ = chance(3);
  if (acts_) options.activation = static_cast<int32_t>(between(CTCONV_ACTIVATION_RELU, CTCONV_ACTIVATION_CLIP));
  options.activation_beta = 1;
  std::vector<int64_t> x_shape = {between(0, 2)};
  if (!last_) x_shape.push_back(ci_);
  for (size_t a = 0; a < rank_; ++a) x_shape.push_back(between(1, rank_ == 3 ? 2 : 3));
  if (last_) x_shape.push_back(ci_);
  used_ = kGuard;
  place(kX, x_shape.data(), static_cast<int32_t>(x_shape.size()));
  ctconv_spec w;
  if (!fine("weight_spec", ctconv_desc_weight_spec(desc_, &tensors_[kX].record, &w, nullptr, &error_))) return false;
  place(kW, w.shape, w.ndim);
  place(kDw, w.shape, w.ndim);
  own_weight_ = chance(2);
  const ctconv_tensor* weight = own_weight_ ? &tensors_[kW].record : nullptr;
  const ctconv_status created = ctconv_create(desc_, weight, nullptr, &options, &op_, &error_);
  if (!fine("create", created) || created != CTCONV_OK) return false;
  place(kDx, x_shape.data(), static_cast<int32_t>(x_shape.size()));
  return true;
}

void Call::make_tensors() {
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &tensors_[kX].record;
  call.weight = own_weight_ ? nullptr : &tensors_[kW].record;
  ctconv_spec y;
  const ctconv_status shaped = ctconv_output_spec(op_, &call, &y, &error_);
  if (!fine("output_spec", shaped) || shaped != CTCONV_OK) return;
  place(kDy, y.shape, y.ndim);
  place(kY, y.shape, y.ndim);
  const int64_t channels = y.shape[last_ ? y.ndim - 1 : 1];
  place(kDb, &channels, 1);
  want();
}

// A legal call: some of the three gradients, and what they are made of.
void Call::want() {
  const uint64_t which = 1 + s_.below(7);
  grads_.dx = which & 1 ? &tensors_[kDx].record : nullptr;
  grads_.dw = which & 2 ? &tensors_[kDw].record : nullptr;
  grads_.db = which & 4 ? &tensors_[kDb].record : nullptr;
  grads_.dy = &tensors_[kDy].record;
  grads_.x = which & 6 || chance(2) ? &tensors_[kX].record : nullptr;
  grads_.weight = own_weight_ ? nullptr : &tensors_[kW].record;
  grads_.y = acts_ || chance(4) ? &tensors_[kY].record : nullptr;
  grads_.accumulate = static_cast<int32_t>(s_.below(2));
}

void Call::spoil_tensor() {
  const auto slot = static_cast<size_t>(s_.below(kSlots));
  const ctconv_tensor** fields[kSlots] = {&grads_.dy, &grads_.x,  &grads_.y, &grads_.weight,
                                          &grads_.dx, &grads_.dw, &grads_.db};
  Owned& t = tensors_[slot];
  const size_t other = s_.below(kSlots);
  const size_t axis = t.shape.empty() ? 0 : s_.below(t.shape.size());
  const uint64_t how = s_.below(15);
  say(std::string("fault ") + std::to_string(how) + " in " + kNames[slot] + ", other " + kNames[other]);
  if (how == 0) *fields[slot] = nullptr;
  if (how == 1) *fields[slot] = &tensors_[other].record;
  if (how == 2) t.record.data = tensors_[other].record.data;
  if (how == 3) t.record.data = nullptr;
  if (how == 4) t.record.data = static_cast<char*>(t.record.data) + between(1, 7);
  if (how == 5 && !t.shape.empty()) t.shape[axis] = extreme();
  if (how == 6 && !t.shape.empty()) t.strides[axis] = extreme();
  if (how == 7) t.record.strides = nullptr;
  if (how == 8) t.record.shape = nullptr;
  if (how == 9) t.record.ndim = static_cast<int32_t>(between(-2, 9));
  if (how == 10) t.record.dtype_code = static_cast<uint8_t>(s_.below(20));
  if (how == 11) t.record.dtype_bits = static_cast<uint8_t>(s_.below(256));
  if (how == 12) t.record.dtype_lanes = static_cast<uint16_t>(s_.below(3));
  if (how == 13) t.record.device_type = static_cast<int32_t>(between(-1, 14));
  if (how == 14) t.record.byte_offset = static_cast<uint64_t>(chance(2) ? extreme() : between(0, 64));
  // The arrays always hold as many entries as a record may claim.
  t.shape.resize(16, 1);
  t.strides.resize(16, 1);
  if (t.record.shape != nullptr) t.record.shape = t.shape.data();
  if (t.record.strides != nullptr) t.record.strides = t.strides.data();
}

void Call::spoil_call() {
  const uint64_t how = s_.below(8);
  say("fault in the call " + std::to_string(how));
  if (how == 0) grads_.struct_size = static_cast<size_t>(chance(2) ? extreme() : between(0, 200));
  if (how == 1) grads_.accumulate = static_cast<int32_t>(extreme());
  if (how == 2) grads_.reserved = static_cast<int32_t>(extreme());
  if (how == 3) grads_.stream = arena_.data();
  if (how == 4) {
    size_.tag = static_cast<int32_t>(between(-3, 12));
    size_.i = extreme();
    grads_.output_size = &size_;
  }
  if (how == 5) {
    grads_.workspace = arena_.data() + s_.below(kArena);
    grads_.workspace_bytes = static_cast<size_t>(s_.below(kWorkspace));
  }
  if (how == 6) {
    grads_.workspace = nullptr;
    grads_.workspace_bytes = static_cast<size_t>(extreme());
  }
  if (how != 7) return;
  for (std::array<int64_t, 8>* entries : {&begin_, &end_, &x_begin_, &x_shape_}) {
    for (int64_t& entry : *entries) entry = chance(3) ? extreme() : between(0, 6);
  }
  if (chance(2)) grads_.begin = begin_.data();
  if (chance(2)) grads_.end = end_.data();
  if (chance(2)) grads_.x_begin = x_begin_.data();
  if (chance(2)) grads_.x_shape = x_shape_.data();
}

void Call::spoil() {
  if (chance(3)) {
    spoil_call();
  } else {
    spoil_tensor();
  }
}

// Whether every tensor of the call lies in the arena, so that a call that is legal may touch all of it.
bool Call::inside() const {
  const auto base = reinterpret_cast<intptr_t>(arena_.data());
  for (const ctconv_tensor* t : {grads_.dy, grads_.x, grads_.y, grads_.weight, grads_.dx, grads_.dw, grads_.db}) {
    if (t == nullptr || t->data == nullptr) continue;
    Reach reach;
    if (!reach_of(*t, &reach)) return false;
    const __int128 at = reinterpret_cast<intptr_t>(t->data) - base;
    if (at + reach.begin < 0 || at + reach.end > static_cast<__int128>(kArena)) return false;
  }
  return true;
}

// The bytes a call that succeeds may change.
std::vector<bool> Call::writable() const {
  std::vector<bool> may(arena_.size(), false);
  for (const ctconv_tensor* t : {grads_.dx, grads_.dw, grads_.db}) {
    if (t == nullptr) continue;
    int64_t count = 1;
    for (int32_t a = 0; a < t->ndim; ++a) count *= t->shape[a];
    for (int64_t k = 0; k < count; ++k) {
      int64_t rest = k, at = 0, dense = 1;
      for (int32_t a = t->ndim - 1; a >= 0; --a) {
        at += rest % t->shape[a] * (t->strides != nullptr ? t->strides[a] : dense);
        rest /= t->shape[a];
        dense *= t->shape[a];
      }
      const auto* first = static_cast<const unsigned char*>(t->data) + t->byte_offset + at * (t->dtype_bits / 8);
      for (int b = 0; b < t->dtype_bits / 8; ++b) may[static_cast<size_t>(first - arena_.data()) + b] = true;
    }
  }
  if (grads_.workspace != nullptr) {
    const auto at = static_cast<size_t>(static_cast<unsigned char*>(grads_.workspace) - arena_.data());
    for (size_t b = 0; b < grads_.workspace_bytes; ++b) may[at + b] = true;
  }
  return may;
}

// Runs the call and looks at every byte.
std::string Call::judge(ctconv_status prepared, size_t bytes) {
  if (prepared == CTCONV_OK && grads_.workspace == nullptr && grads_.workspace_bytes == 0 && bytes <= kWorkspace &&
      chance(2)) {
    grads_.workspace = arena_.data() + kArena;
    grads_.workspace_bytes = bytes;
  }
  const std::vector<unsigned char> before = arena_;
  const ctconv_status ran = ctconv_backward(op_, &grads_, &error_);
  if (!fine("backward", ran)) return fault_;
  if (prepared != CTCONV_OK && ran == CTCONV_OK) return "backward did what prepare refused";
  if (ran != CTCONV_OK) {
    ++counts_.refused;
    return arena_ == before ? "" : "a refusal changed memory";
  }
  ++counts_.ran;
  if (arena_ == before) return "";
  const std::vector<bool> may = writable();
  for (size_t k = 0; k < arena_.size(); ++k) {
    if (arena_[k] != before[k] && !may[k]) return "byte " + std::to_string(k) + " was changed";
  }
  return "";
}

std::string Call::run() {
  if (!make_op()) return fault_;
  make_tensors();
  if (!fault_.empty() || grads_.dy == nullptr) return fault_;
  const uint64_t faults = s_.below(4);
  counts_.legal += faults == 0;
  for (uint64_t k = 0; k < faults; ++k) spoil();
  size_t bytes = 1;
  const ctconv_status prepared = ctconv_backward_prepare(op_, &grads_, &bytes, &error_);
  if (!fine("prepare", prepared)) return fault_;
  if (prepared != CTCONV_OK && bytes != 0) return "prepare: a failure left a size";
  if (prepared != CTCONV_OK && faults == 0) return "prepare refused a legal call";
  char text[64];
  size_t needed = 1;
  const ctconv_status described = ctconv_backward_describe(op_, &grads_, text, sizeof text, &needed, &error_);
  if (!fine("describe", described)) return fault_;
  if (strnlen(text, sizeof text) == sizeof text) return "describe: no end";
  if (described != prepared) return "describe and prepare disagree";
  if (prepared == CTCONV_OK && !inside()) return "";  // legal as far as can be told, but not memory of ours
  const int64_t ran = counts_.ran;
  std::string fault = judge(prepared, bytes);
  if (!fault.empty()) return fault;
  if (faults == 0 && counts_.ran == ran) return "backward refused a legal call";
  counts_.survived += faults > 0 && counts_.ran > ran;
  return "";
}

}  // namespace

std::string one_backward(Source& source, std::string* said, BackwardCounts* counts) {
  return Call(source, said, counts).run();
}

}  // namespace hostile
