// SPDX-License-Identifier: Apache-2.0
// See hostile_device.h. Every number is small, whole and above 0: sums are exact, and no order of them tells.
#include "tests/fuzz/hostile_device.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "tests/rig/values.h"

namespace hostile {
namespace {

using ctconv::Dtype;
constexpr Dtype kTypes[] = {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16};
constexpr int32_t kAnswers[] = {CTCONV_ERR_NO_MEMORY,
                                CTCONV_ERR_DEVICE_CUDNN_MISSING,
                                CTCONV_ERR_DEVICE_NO_PLAN,
                                CTCONV_ERR_DEVICE_ASYNC,
                                CTCONV_ERR_DEVICE_CUDA,
                                -7,
                                6999,
                                INT32_MAX};
// As a driver's own language may say it: 600 letters of two bytes, so that any cut meets the middle of one.
const std::string& long_words() {
  static const std::string words = [] {
    std::string text = "x";
    for (int n = 0; n < 600; ++n) text += "\xC3\xA9";
    return text;
  }();
  return words;
}

// A dense tensor with its memory: under AddressSanitizer a byte beyond it ends the program.
struct Owned {
  std::vector<int64_t> shape;
  std::vector<unsigned char> bytes;
  ctconv_tensor record = {};

  Owned() = default;
  Owned(Dtype type, std::vector<int64_t> extents, int32_t device) : shape(std::move(extents)) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    bytes.resize(static_cast<size_t>(count) * ctconv::size_of(type));
    for (int64_t k = 0; k < count; ++k) ctconv::rig::store(bytes.data(), type, k, static_cast<double>(1 + k % 3));
    const ctconv::ElementType element = ctconv::element_type(type);
    record.data = bytes.data();
    record.device_type = device;
    record.dtype_code = element.code;
    record.dtype_bits = element.bits;
    record.dtype_lanes = 1;
    point();
  }
  Owned(const Owned& other) : shape(other.shape), bytes(other.bytes), record(other.record) {
    record.data = bytes.data();
    point();
  }
  Owned& operator=(Owned other) {
    shape.swap(other.shape);
    bytes.swap(other.bytes);
    record = other.record;
    point();
    return *this;
  }
  void point() {
    record.ndim = static_cast<int32_t>(shape.size());
    record.shape = shape.data();
  }
};

// One extent of x, and what the CPU makes of it.
struct Size {
  Owned x, y, dy, dx, dw, db;
};

// What memory must hold once its stream has been waited for.
struct Wanted {
  const Owned* tensor;
  std::vector<unsigned char> bytes;
  const char* name;
};

class Life : private Draws {
 public:
  Life(Source& source, HostModule& module, std::string* said, DeviceCounts* counts)
      : Draws(source), module_(module), state_(*module.state), said_(*said), counts_(*counts) {}
  ~Life() {
    calm();
    wait_for_all();
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string run();

 private:
  void say(const std::string& line) { said_ += line + "\n"; }
  bool fine(const char* call, ctconv_status got);
  std::string broken(const std::string& what) {
    if (fault_.empty()) fault_ = what;
    return fault_;
  }

  void describe_layer();
  std::string make_sizes();
  std::string make_size(int64_t extent, ctconv_op* cpu, Size* out);
  void draw_options();
  std::string make_op();
  void disturb();
  void calm();
  void wait_for_all();
  ctconv_call a_call(const Size& size, Owned* y);
  void spoil(ctconv_call* call);
  void spoil_tensor(ctconv_tensor* t);
  void work_on(size_t bytes, void** workspace, size_t* workspace_bytes);
  bool plain() const { return plain_ && !disturbed_ && !spoilt_; }
  std::string judge(const char* name, ctconv_status got, std::initializer_list<std::pair<Owned*, const Owned*>> made);
  std::string forward();
  std::string backward();
  std::string words(const ctconv_call* call);
  std::string finish();

  HostModule& module_;
  HostModuleState& state_;
  std::string& said_;
  DeviceCounts& counts_;
  std::string fault_;
  ctconv_error error_ = CTCONV_ERROR_INIT;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  ctconv_options options_ = CTCONV_OPTIONS_INIT;
  size_t rank_ = 1;
  int64_t ci_ = 1, co_ = 1;
  Dtype type_ = Dtype::kF32;
  bool bias_ = false, own_ = false, plain_ = true, disturbed_ = false, spoilt_ = false;
  Owned w_, b_, spoilt_tensor_;
  Size sizes_[2];
  std::deque<Owned> made_;  // outputs; they live until their streams have been waited for
  std::deque<std::vector<unsigned char>> workspaces_;
  std::vector<Wanted> wanted_;
};

bool Life::fine(const char* call, ctconv_status got) {
  say(std::string(call) + " -> " + ctconv_status_name(got) + (got ? ": " + std::string(error_.message) : ""));
  const std::string fault = fault_of(got, error_);
  if (!fault.empty()) broken(std::string(call) + ": " + fault);
  counts_.refused += got != CTCONV_OK;
  counts_.failed += got / 1000 == 5 || got / 1000 == 6;
  return fault.empty();
}

void Life::describe_layer() {
  rank_ = static_cast<size_t>(between(1, 2));
  const auto axes = [&](const char* name, int64_t low, int64_t high) {
    std::vector<int64_t> values(rank_);
    for (int64_t& v : values) v = between(low, high);
    ctconv_desc_set_ints(desc_, name, values.data(), static_cast<int32_t>(rank_));
  };
  const int64_t groups = between(1, 2);
  ci_ = groups * between(1, 2);
  co_ = groups * between(1, 2);
  ctconv_desc_set_int(desc_, "in_channels", ci_);
  ctconv_desc_set_int(desc_, "out_channels", co_);
  ctconv_desc_set_int(desc_, "groups", groups);
  axes("kernel_size", 1, 3);
  axes("stride", 1, 3);
  axes("pad_begin", 0, 1);
  axes("output_padding", 0, 2);
  if (chance(3)) axes("zero_tail", 0, 1);
  bias_ = chance(2);
  ctconv_desc_set_bool(desc_, "bias", bias_);
  type_ = kTypes[s_.below(std::size(kTypes))];
}

// The op whose bits count.
std::string Life::make_sizes() {
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.engine = "reference";
  options.threads = 1;
  ctconv_op* cpu = nullptr;
  if (!fine("create on the CPU", ctconv_create(desc_, nullptr, nullptr, &options, &cpu, &error_))) return fault_;
  const int64_t extent = between(1, 3);
  std::string fault;
  for (int64_t k = 0; cpu != nullptr && fault.empty() && k < 2; ++k) fault = make_size(extent + k, cpu, &sizes_[k]);
  ctconv_destroy(cpu);
  return fault;
}

std::string Life::make_size(int64_t extent, ctconv_op* cpu, Size* out) {
  std::vector<int64_t> shape(rank_ + 2, extent);
  shape[0] = 1 + extent % 2;
  shape[1] = ci_;
  const int32_t host = CTCONV_DEVICE_CPU;
  out->x = Owned(type_, shape, host);
  ctconv_spec w, b, y;
  if (!fine("weight_spec", ctconv_desc_weight_spec(desc_, &out->x.record, &w, &b, &error_))) return fault_;
  w_ = Owned(type_, {w.shape, w.shape + w.ndim}, host);
  b_ = Owned(type_, {co_}, host);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &out->x.record;
  call.weight = &w_.record;
  call.bias = bias_ ? &b_.record : nullptr;
  const ctconv_status shaped = ctconv_output_spec(cpu, &call, &y, &error_);
  if (!fine("output_spec", shaped)) return fault_;
  if (shaped != CTCONV_OK) return "no output";  // the caller leaves this layer
  out->y = Owned(type_, {y.shape, y.shape + y.ndim}, host);
  out->dy = out->y;
  out->dx = out->x;
  out->dw = w_;
  out->db = b_;
  call.y = &out->y.record;
  if (!fine("execute on the CPU", ctconv_execute(cpu, &call, &error_))) return fault_;
  ctconv_grads grads = CTCONV_GRADS_INIT;
  grads.dy = &out->dy.record;
  grads.x = &out->x.record;
  grads.weight = &w_.record;
  grads.dx = &out->dx.record;
  grads.dw = &out->dw.record;
  grads.db = bias_ ? &out->db.record : nullptr;
  const ctconv_status ran = ctconv_backward(cpu, &grads, &error_);
  if (!fine("backward on the CPU", ran)) return fault_;
  for (Owned* t : {&out->x, &out->y, &out->dy, &out->dx, &out->dw, &out->db}) {
    t->record.device_type = CTCONV_DEVICE_CUDA;
  }
  return ran == CTCONV_OK ? "" : "the CPU refuses";
}

void Life::draw_options() {
  constexpr const char* kDevices[] = {"cuda", "cuda:0", "cuda:1", "cuda:", "cuda:999999", "cuda:-1", "cudagraph"};
  constexpr const char* kEngines[] = {nullptr, "auto", "cuda", "cudnn", "native"};
  options_.device = kDevices[chance(6) ? s_.below(std::size(kDevices)) : 0];
  options_.engine = kEngines[chance(6) ? s_.below(std::size(kEngines)) : 0];
  const std::string device = options_.device, engine = options_.engine != nullptr ? options_.engine : "auto";
  plain_ = device.size() == 4 && (engine == "auto" || engine == "cuda");
  if (chance(3)) options_.plan_limit = static_cast<int32_t>(between(0, 2));
  if (chance(8)) options_.plan_limit = static_cast<int32_t>(extreme_of(s_)), plain_ = false;
  if (chance(6)) options_.workspace_limit = static_cast<size_t>(extreme_of(s_)), plain_ = false;
  if (chance(6)) options_.reproducible = static_cast<int32_t>(between(0, 3)), plain_ = false;
  if (chance(6)) options_.borrow_weights = 1;
  if (chance(12)) options_.tuning = static_cast<int32_t>(between(0, 2)), plain_ = false;
}

std::string Life::make_op() {
  own_ = chance(2);
  // Given to create they may lie on the host, where they are not borrowed.
  const bool there = options_.borrow_weights != 0 || chance(2);
  w_.record.device_type = b_.record.device_type = there || !own_ ? CTCONV_DEVICE_CUDA : CTCONV_DEVICE_CPU;
  disturb();
  const ctconv_status created =
      ctconv_create(desc_, own_ ? &w_.record : nullptr, own_ && bias_ ? &b_.record : nullptr, &options_, &op_, &error_);
  if (!fine("create", created)) return fault_;
  if ((created == CTCONV_OK) != (op_ != nullptr)) return "create: status and pointer disagree";
  if (created != CTCONV_OK && plain()) return "create refused a plain op";
  if (created != CTCONV_OK && (state_.buffers_live != 0 || state_.plans_live != 0)) return "create left something";
  counts_.created += created == CTCONV_OK;
  calm();
  return "";
}

// Now and then: a function of the module fails, says strange words or wants more than there is.
void Life::disturb() {
  state_.packs = chance(2);
  constexpr size_t kScratch[] = {0, 1, 300, 4000};
  state_.scratch_bytes = kScratch[s_.below(std::size(kScratch))];
  disturbed_ = chance(3);
  if (!disturbed_) return;
  int32_t HostModuleState::*const statuses[] = {
      &HostModuleState::check_status, &HostModuleState::plan_status,   &HostModuleState::pack_status,
      &HostModuleState::pass_status,  &HostModuleState::alloc_status,  &HostModuleState::execute_status,
      &HostModuleState::copy_status,  &HostModuleState::locate_status, &HostModuleState::synchronise_status};
  const char* const words[] = {nullptr, "", long_words().c_str()};
  state_.words = words[s_.below(std::size(words))];
  const uint64_t how = s_.below(4);
  if (how < 2) {
    const size_t which = s_.below(std::size(statuses));
    state_.*statuses[which] = kAnswers[s_.below(std::size(kAnswers))];
    say("function " + std::to_string(which) + " answers " + std::to_string(state_.*statuses[which]));
  } else if (how == 2) {
    state_.scratch_bytes = static_cast<size_t>(extreme_of(s_));
    plain_ = plain_ && state_.scratch_bytes <= 4000;  // the op keeps a plan that wants too much
    say("scratch " + std::to_string(state_.scratch_bytes));
  } else {
    state_.pointer_kind = static_cast<int32_t>(between(-1, 4));
    state_.pointer_ordinal = static_cast<int32_t>(between(-1, 1));
  }
}

void Life::calm() {
  state_.check_status = state_.plan_status = state_.pack_status = state_.execute_status = state_.pass_status = 0;
  state_.alloc_status = state_.copy_status = state_.locate_status = state_.synchronise_status = 0;
  state_.pointer_kind = CTCONV_CUDA_DEVICE_POINTER;
  state_.pointer_ordinal = 0;
  state_.words = nullptr;
  disturbed_ = false;
}

constexpr uint64_t kStreams = 10;  // two more than an op keeps workspaces for
void* stream_of(uint64_t number) { return reinterpret_cast<void*>(static_cast<uintptr_t>(number) << 8); }

void Life::wait_for_all() {
  for (uint64_t n = 0; n < kStreams; ++n) module_.table.synchronize(0, stream_of(n), nullptr);
}

ctconv_call Life::a_call(const Size& size, Owned* y) {
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &size.x.record;
  call.weight = own_ ? nullptr : &w_.record;
  call.bias = own_ || !bias_ ? nullptr : &b_.record;
  call.y = y != nullptr ? &y->record : nullptr;
  const uint64_t stream = s_.below(kStreams);
  call.stream = stream_of(stream);
  say("x of " + std::to_string(size.x.shape.back()) + " on stream " + std::to_string(stream));
  return call;
}

void Life::spoil_tensor(ctconv_tensor* t) {
  const uint64_t how = s_.below(6);
  say("fault " + std::to_string(how));
  if (how == 0) t->device_type = static_cast<int32_t>(between(-1, 14));
  if (how == 1) t->device_id = static_cast<int32_t>(chance(2) ? extreme_of(s_) : between(-1, 1));
  if (how == 2) t->data = nullptr;
  if (how == 3) t->ndim = static_cast<int32_t>(between(-1, static_cast<int64_t>(rank_) + 1));
  if (how == 4) t->dtype_bits = static_cast<uint8_t>(s_.below(256));
  if (how == 5) spoilt_tensor_.shape[s_.below(static_cast<uint64_t>(t->ndim))] = extreme_of(s_);
}

// One operand, or how the call is made. Its memory stays what it was.
void Life::spoil(ctconv_call* call) {
  spoilt_ = true;
  const ctconv_tensor** fields[] = {&call->x, &call->weight, &call->bias, &call->y};
  const ctconv_tensor** field = fields[s_.below(std::size(fields))];
  if (*field == nullptr || (field != &call->bias && chance(6))) {  // without its bias a call is another one
    *field = *field == nullptr ? &w_.record : nullptr;
    return;
  }
  spoilt_tensor_.shape.assign((*field)->shape, (*field)->shape + (*field)->ndim);
  spoilt_tensor_.shape.resize(std::max(spoilt_tensor_.shape.size(), rank_ + 1), 1);  // ndim may become as many
  spoilt_tensor_.record = **field;
  spoilt_tensor_.record.shape = spoilt_tensor_.shape.data();
  spoil_tensor(&spoilt_tensor_.record);
  *field = &spoilt_tensor_.record;
}

// The caller's own workspace, or one byte too few.
void Life::work_on(size_t bytes, void** workspace, size_t* workspace_bytes) {
  if (bytes > 100000 || chance(2)) return;
  const bool short_of = bytes > 0 && chance(6);
  spoilt_ = spoilt_ || short_of;
  workspaces_.emplace_back(bytes - (short_of ? 1 : 0) + 1);
  *workspace = workspaces_.back().data();
  *workspace_bytes = bytes - (short_of ? 1 : 0);
  say("the caller's workspace of " + std::to_string(*workspace_bytes) + " bytes");
}

// made: memory and what it must hold after CTCONV_OK.
std::string Life::judge(const char* name, ctconv_status got,
                        std::initializer_list<std::pair<Owned*, const Owned*>> made) {
  if (!fine(name, got)) return fault_;
  if (got != CTCONV_OK && plain()) return std::string(name) + " refused a plain call";
  // What a device did by then is not known.
  const bool of_device = got == CTCONV_ERR_NO_MEMORY || got / 1000 == 6;
  for (const auto& [memory, want] : made) {
    if (memory == nullptr || of_device) continue;
    wanted_.push_back({memory, got == CTCONV_OK ? want->bytes : memory->bytes, name});
  }
  return "";
}

std::string Life::forward() {
  const Size& size = sizes_[s_.below(2)];
  made_.push_back(size.dy);  // of y's shape
  Owned& y = made_.back();
  std::memset(y.bytes.data(), 0xA5, y.bytes.size());
  spoilt_ = false;
  ctconv_call call = a_call(size, &y);
  if (chance(3)) spoil(&call);
  disturb();
  size_t bytes = 1;
  if (chance(2)) {
    const ctconv_status prepared = ctconv_prepare(op_, &call, &bytes, &error_);
    if (!fine("prepare", prepared)) return fault_;
    if (prepared != CTCONV_OK && bytes != 0) return "prepare: a failure left a size";
    if (prepared == CTCONV_OK) work_on(bytes, &call.workspace, &call.workspace_bytes);
  }
  const ctconv_status ran = ctconv_execute(op_, &call, &error_);
  counts_.ran += ran == CTCONV_OK;
  return judge("execute", ran, {{&y, &size.y}});
}

std::string Life::backward() {
  const Size& size = sizes_[s_.below(2)];
  Owned* made[3] = {};
  const uint64_t which = 1 + s_.below(bias_ ? 7 : 3);
  const Owned* const like[3] = {&size.dx, &size.dw, &size.db};
  for (size_t k = 0; k < 3; ++k) {
    if ((which >> k & 1) == 0) continue;
    made_.push_back(*like[k]);
    made[k] = &made_.back();
    std::memset(made[k]->bytes.data(), 0xA5, made[k]->bytes.size());
  }
  spoilt_ = false;
  ctconv_call as_call = a_call(size, nullptr);
  as_call.bias = nullptr;
  as_call.y = &size.dy.record;
  if (chance(4)) spoil(&as_call);
  ctconv_grads grads = CTCONV_GRADS_INIT;
  grads.dy = as_call.y;
  grads.x = as_call.x;
  grads.weight = as_call.weight;
  grads.dx = made[0] != nullptr ? &made[0]->record : nullptr;
  grads.dw = made[1] != nullptr ? &made[1]->record : nullptr;
  grads.db = made[2] != nullptr ? &made[2]->record : nullptr;
  grads.stream = as_call.stream;
  disturb();
  size_t bytes = 1;
  const ctconv_status prepared = ctconv_backward_prepare(op_, &grads, &bytes, &error_);
  if (!fine("backward_prepare", prepared)) return fault_;
  if (prepared == CTCONV_OK) work_on(bytes, &grads.workspace, &grads.workspace_bytes);
  const ctconv_status ran = ctconv_backward(op_, &grads, &error_);
  counts_.gradients += ran == CTCONV_OK;
  return judge("backward", ran, {{made[0], &size.dx}, {made[1], &size.dw}, {made[2], &size.db}});
}

std::string Life::words(const ctconv_call* call) {
  disturb();
  char text[200];
  size_t needed = 0;
  const ctconv_status got = ctconv_describe(op_, call, text, sizeof text, &needed, &error_);
  if (!fine("describe", got)) return fault_;
  if (got != CTCONV_OK && plain()) return "describe refused a plain call";
  if (got == CTCONV_OK && (needed == 0 || strnlen(text, sizeof text) == sizeof text)) return "describe: no text";
  return "";
}

// Waits, looks at what was made, and at what is left when the op is gone.
std::string Life::finish() {
  wait_for_all();
  for (const Wanted& w : wanted_) {
    if (w.tensor->bytes != w.bytes) return std::string(w.name) + ": memory is not what it must be";
  }
  ctconv_destroy(std::exchange(op_, nullptr));
  if (state_.plans_live != 0 || state_.buffers_live != 0 || state_.bytes_live != 0) return "something is left there";
  return state_.shared != 0 ? "two streams shared a workspace" : "";
}

std::string Life::run() {
  state_.~HostModuleState();
  new (&state_) HostModuleState;
  state_.deferred = chance(2);
  if (state_.deferred) say("work is done when it is waited for");
  if (!fine("desc_create", ctconv_desc_create("ctconv", &desc_, &error_))) return fault_;
  describe_layer();
  const std::string none = make_sizes();
  if (!none.empty()) return fault_;
  draw_options();
  std::string fault = make_op();
  for (uint64_t steps = 1 + s_.below(8); fault.empty() && op_ != nullptr && steps > 0; --steps) {
    const uint64_t kind = s_.below(8);
    spoilt_ = false;
    if (kind < 4) fault = forward();
    if (kind == 4 || kind == 5) fault = backward();
    if (kind == 6) fault = words(nullptr);
    if (kind == 7) {
      const ctconv_call call = a_call(sizes_[s_.below(2)], nullptr);
      fault = words(&call);
    }
    calm();
  }
  if (!fault.empty() || op_ == nullptr) return fault;
  return finish();
}

}  // namespace

std::string one_device(Source& source, HostModule& module, std::string* said, DeviceCounts* counts) {
  return Life(source, module, said, counts).run();
}

}  // namespace hostile
