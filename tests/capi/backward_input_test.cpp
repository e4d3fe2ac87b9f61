// SPDX-License-Identifier: Apache-2.0
// Bad input of ctconv_backward: for each fault the status, the argument and the legal range; nothing is written.
//
//   in:  a legal call that wants all three gradients, spoilt in one place;   out: the refusal, outputs untouched
//   And what is legal beside it: the nearest call that runs, and a NaN that accumulation keeps.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/capi/support.h"

using namespace capi;

namespace {

struct Spoilt {
  Conv conv;
  Tensor x{conv.x_shape()}, w{conv.w_shape()}, dy{conv.y_shape()}, y{conv.y_shape()};
  Tensor dx{conv.x_shape()}, dw{conv.w_shape()}, db{{conv.co}};
  Tensor wide{{2, 6, 9, 14}}, doubles{conv.y_shape(), Dtype::kF64};
  std::vector<unsigned char> room = std::vector<unsigned char>(1 << 20);
  ctconv_tensor changed{};
  Op op;
  ctconv_grads grads = CTCONV_GRADS_INIT;
  Error error;

  explicit Spoilt(int32_t activation = CTCONV_ACTIVATION_NONE, double alpha = 0) {
    x.integers(1);
    w.integers(2);
    dy.integers(3);
    y.integers(4);
    ctconv_options options = options_init();
    options.activation = activation;
    options.activation_alpha = alpha;
    op = create(conv.desc(), &w, nullptr, &options);
    grads.dy = dy.get();
    grads.x = x.get();
    grads.dx = dx.get();
    grads.dw = dw.get();
    grads.db = db.get();
    if (activation != CTCONV_ACTIVATION_NONE) grads.y = y.get();
  }
  // A copy of a record for a test to change.
  ctconv_tensor* copy_of(Tensor& t) {
    changed = *t.get();
    return &changed;
  }
  ctconv_status run() { return ctconv_backward(op.get(), &grads, &error); }
  size_t workspace_bytes() {
    size_t bytes = 0;
    REQUIRE(ctconv_backward_prepare(op.get(), &grads, &bytes, &error) == CTCONV_OK);
    return bytes;
  }
};

struct Fault {
  const char* what;
  ctconv_status status;
  const char* argument;
  const char* range;
  std::function<void(Spoilt&)> make;
};

const char* const kDeviceName = "(the op's device)";  // a range that check() spells

const Fault kTensors[] = {
    {"dy of another shape", CTCONV_ERR_MISUSE_Y_SHAPE, "dy", "(2, 6, 9, 13)",
     [](Spoilt& s) { s.grads.dy = s.wide.get(); }},
    {"dy of another type", CTCONV_ERR_MISUSE_Y_DTYPE, "dy", "float32", [](Spoilt& s) { s.grads.dy = s.doubles.get(); }},
    {"dy on another device", CTCONV_ERR_MISUSE_TENSOR_DEVICE, "dy", kDeviceName,
     [](Spoilt& s) {
       s.grads.dy = s.copy_of(s.dy);
       s.changed.device_type = test_device().elsewhere.front();
     }},
    {"dx on another device", CTCONV_ERR_MISUSE_TENSOR_DEVICE, "dx", kDeviceName,
     [](Spoilt& s) {
       s.grads.dx = s.copy_of(s.dx);
       s.changed.device_type = test_device().elsewhere.front();
     }},
    {"dw of another shape", CTCONV_ERR_MISUSE_Y_SHAPE, "dw", "(4, 6, 3, 3)",
     [](Spoilt& s) { s.grads.dw = s.wide.get(); }},
    {"db of another shape", CTCONV_ERR_MISUSE_Y_SHAPE, "db", "(6,)", [](Spoilt& s) { s.grads.db = s.wide.get(); }},
    {"db of another type", CTCONV_ERR_MISUSE_Y_DTYPE, "db", "float32",
     [](Spoilt& s) {
       s.grads.db = s.copy_of(s.db);
       s.changed.dtype_code = CTCONV_DTYPE_BFLOAT;
       s.changed.dtype_bits = 16;
     }},
    {"dy misaligned", CTCONV_ERR_MISUSE_ALIGNMENT, "dy", "multiple of 4",
     [](Spoilt& s) {
       s.grads.dy = s.copy_of(s.dy);
       s.changed.data = static_cast<char*>(s.changed.data) + 1;
     }},
    {"dw without data", CTCONV_ERR_MISUSE_NULL, "dw.data", "",
     [](Spoilt& s) {
       s.grads.dw = s.copy_of(s.dw);
       s.changed.data = nullptr;
     }},
    {"x without data, dw wanted", CTCONV_ERR_MISUSE_NULL, "x.data", "",
     [](Spoilt& s) {
       s.grads.x = s.copy_of(s.x);
       s.changed.data = nullptr;
     }},
    {"x missing, dw wanted", CTCONV_ERR_MISUSE_NULL, "grads.x", "a tensor", [](Spoilt& s) { s.grads.x = nullptr; }},
    {"dy missing", CTCONV_ERR_MISUSE_NULL, "grads.dy", "", [](Spoilt& s) { s.grads.dy = nullptr; }},
    {"x of other channels", CTCONV_ERR_SHAPE_INPUT_CHANNELS, "input", "4 channels",
     [](Spoilt& s) { s.grads.x = s.wide.get(); }},
};

const Fault kMemory[] = {
    {"dx meets x", CTCONV_ERR_MISUSE_Y_OVERLAP, "dx", "memory of its own", [](Spoilt& s) { s.grads.dx = s.x.get(); }},
    {"dx meets dy", CTCONV_ERR_MISUSE_Y_OVERLAP, "dx", "memory of its own",
     [](Spoilt& s) {
       s.grads.dx = s.copy_of(s.dx);
       s.changed.data = s.dy.data();
     }},
    {"dw meets the weight of create, where it is borrowed", CTCONV_ERR_MISUSE_Y_OVERLAP, "dw", "memory of its own",
     [](Spoilt& s) {
       ctconv_options options = options_init();
       options.borrow_weights = 1;
       s.op = create(s.conv.desc(), &s.w, nullptr, &options);
       s.grads.dw = s.w.get();
     }},
    {"db meets dw", CTCONV_ERR_MISUSE_Y_OVERLAP, "dw", "memory of its own",
     [](Spoilt& s) {
       s.grads.db = s.copy_of(s.db);
       s.changed.data = s.dw.data();
     }},
    {"the workspace meets dx", CTCONV_ERR_MISUSE_Y_OVERLAP, "dx", "memory of its own",
     [](Spoilt& s) {
       s.grads.workspace = s.dx.data();
       s.grads.workspace_bytes = 16;
     }},
    {"the workspace is too small", CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes", "",
     [](Spoilt& s) {
       s.grads.workspace = s.room.data();
       s.grads.workspace_bytes = s.workspace_bytes() - 1;
     }},
    {"a size without a workspace", CTCONV_ERR_MISUSE_WORKSPACE, "workspace", "",
     [](Spoilt& s) { s.grads.workspace_bytes = 64; }},
    {"a stream on the CPU", CTCONV_ERR_MISUSE_STREAM, "stream", "NULL", [](Spoilt& s) { s.grads.stream = &s; }},
    {"accumulate 2", CTCONV_ERR_MISUSE_OPTION, "accumulate", "0 or 1", [](Spoilt& s) { s.grads.accumulate = 2; }},
};

void check(const Fault& fault) {
  INFO(fault.what);
  if (fault.status == CTCONV_ERR_MISUSE_STREAM && !test_device().cpu()) return;
  const std::string range = fault.range != kDeviceName ? fault.range : test_device().cpu() ? "cpu" : "cuda";
  Spoilt s;
  fault.make(s);
  refused(s.run(), s.error, fault.status, fault.argument);
  INFO(s.error.message);
  CHECK(std::string(s.error.range).find(range) != std::string::npos);
  CHECK(s.dx.untouched());
  CHECK(s.dw.untouched());
  CHECK(s.db.untouched());
  size_t bytes = 1;
  const Spoilt good;
  CHECK(ctconv_backward(good.op.get(), &good.grads, nullptr) == CTCONV_OK);
  if (ctconv_backward_prepare(s.op.get(), &s.grads, &bytes, nullptr) != CTCONV_OK) CHECK(bytes == 0);
}

}  // namespace

TEST_CASE("backward input: tensors that do not fit", "[capi][misuse]") {
  for (const Fault& fault : kTensors) check(fault);
}

TEST_CASE("backward input: memory, workspace, stream and flags", "[capi][misuse]") {
  REQUIRE(Spoilt().workspace_bytes() > 0);
  for (const Fault& fault : kMemory) check(fault);
}

TEST_CASE("backward input: what an activation needs", "[capi][misuse]") {
  Spoilt without(CTCONV_ACTIVATION_TANH);
  without.grads.y = nullptr;
  refused(without.run(), without.error, CTCONV_ERR_MISUSE_NULL, "grads.y");
  Spoilt other(CTCONV_ACTIVATION_TANH);
  other.grads.y = other.wide.get();
  refused(other.run(), other.error, CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  Spoilt slope(CTCONV_ACTIVATION_LEAKY_RELU, -1);
  refused(slope.run(), slope.error, CTCONV_ERR_MISUSE_ACTIVATION, "activation_alpha");
  for (Spoilt* s : {&without, &other, &slope}) CHECK((s->dx.untouched() && s->dw.untouched() && s->db.untouched()));
  Spoilt flat(CTCONV_ACTIVATION_LEAKY_RELU, 0);
  CHECK(flat.run() == CTCONV_OK);
}

TEST_CASE("backward input: a NaN that is added to stays one, alone", "[capi]") {
  Spoilt s, plain;
  s.dx.constant(0);
  s.dw.constant(0);
  s.db.constant(0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  s.dx.set({1, 2, 3, 4}, nan);
  s.dw.set({1, 2, 0, 1}, nan);
  s.db.set({5}, nan);
  s.grads.accumulate = 1;
  REQUIRE(s.run() == CTCONV_OK);
  REQUIRE(plain.run() == CTCONV_OK);
  const std::pair<Tensor*, Tensor*> pairs[] = {{&s.dx, &plain.dx}, {&s.dw, &plain.dw}, {&s.db, &plain.db}};
  for (const auto& [added, written] : pairs) {
    const std::vector<double> got = added->values(), want = written->values();
    int nans = 0;
    for (size_t k = 0; k < got.size(); ++k) {
      nans += std::isnan(got[k]);
      if (!std::isnan(got[k])) REQUIRE(got[k] == want[k]);
    }
    CHECK(nans == 1);
  }
}
