// SPDX-License-Identifier: Apache-2.0
// Every MISUSE status of an op and a call, once, with a y that stays untouched; and the nearest legal call beside it.
#include <climits>
#include <cmath>

#include "tests/capi/support.h"

using namespace capi;

namespace {

// An op with its weight, and tensors that fit.
struct Fixture {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x{conv.x_shape()}, w{conv.w_shape()}, b{{conv.co}}, y{conv.y_shape()};
  Op op;
  Error error;

  Fixture() {
    x.integers(1);
    w.integers(2);
    b.integers(3);
    op = create(desc, &w, &b);
  }
  ctconv_status execute(const ctconv_call& call) { return ctconv_execute(op.get(), &call, &error); }
  ctconv_status create_with(const ctconv_options& options) {
    ctconv_op* made = reinterpret_cast<ctconv_op*>(this);
    const ctconv_status status = ctconv_create(desc.get(), w.get(), b.get(), &options, &made, &error);
    if (status != CTCONV_OK) CHECK(made == nullptr);
    ctconv_destroy(made);
    return status;
  }
};

// Fails as `want` about `argument` and writes nothing.
#define REFUSES(call, want, argument)                  \
  do {                                                 \
    refused(f.execute(call), f.error, want, argument); \
    CHECK(f.y.untouched());                            \
  } while (false)

}  // namespace

TEST_CASE("misuse: NULL where it is not allowed", "[capi][misuse]") {
  Fixture f;
  ctconv_call call = call_of(&f.x, &f.y);
  ctconv_spec spec;
  ctconv_op* op = nullptr;
  ctconv_desc* desc = nullptr;
  size_t bytes = 77;
  const auto null = [&](ctconv_status got, const char* argument) {
    refused(got, f.error, CTCONV_ERR_MISUSE_NULL, argument);
  };
  null(ctconv_desc_create(nullptr, &desc, &f.error), "dialect");
  null(ctconv_desc_create("ctconv", nullptr, &f.error), "desc");
  null(ctconv_desc_validate(nullptr, &f.error), "desc");
  null(ctconv_desc_weight_spec(nullptr, nullptr, &spec, &spec, &f.error), "desc");
  CHECK(ctconv_desc_weight_spec(f.desc.get(), nullptr, nullptr, nullptr, &f.error) == CTCONV_OK);
  null(ctconv_init_weight(nullptr, 0, f.w.get(), &f.error), "desc");
  null(ctconv_init_weight(f.desc.get(), 0, nullptr, &f.error), "out");
  null(ctconv_init_bias(f.desc.get(), 0, nullptr, &f.error), "out");
  null(ctconv_create(nullptr, nullptr, nullptr, nullptr, &op, &f.error), "desc");
  null(ctconv_create(f.desc.get(), nullptr, nullptr, nullptr, nullptr, &f.error), "op");
  null(ctconv_output_spec(nullptr, &call, &spec, &f.error), "op");
  null(ctconv_output_spec(f.op.get(), nullptr, &spec, &f.error), "call");
  null(ctconv_output_spec(f.op.get(), &call, nullptr, &f.error), "y");
  null(ctconv_prepare(nullptr, &call, &bytes, &f.error), "op");
  CHECK(bytes == 0);
  null(ctconv_prepare(f.op.get(), nullptr, &bytes, &f.error), "call");
  null(ctconv_prepare(f.op.get(), &call, nullptr, &f.error), "workspace_bytes");
  null(ctconv_execute(nullptr, &call, &f.error), "op");
  null(ctconv_execute(f.op.get(), nullptr, &f.error), "call");
  null(ctconv_describe(nullptr, &call, nullptr, 0, &bytes, &f.error), "op");
  null(ctconv_describe(f.op.get(), &call, nullptr, 5, &bytes, &f.error), "buf");
  CHECK(ctconv_desc_set(nullptr, "stride", nullptr) == CTCONV_ERR_MISUSE_NULL);
  CHECK(ctconv_desc_set_int(nullptr, "stride", 1) == CTCONV_ERR_MISUSE_NULL);
  CHECK(ctconv_dialect_argument(nullptr, 0, nullptr) == CTCONV_ERR_MISUSE_NULL);

  call = call_of(nullptr, &f.y);
  REFUSES(call, CTCONV_ERR_MISUSE_NULL, "call.x");
  call = call_of(&f.x, nullptr);
  REFUSES(call, CTCONV_ERR_MISUSE_NULL, "call.y");
  ctconv_tensor x = *f.x.get();
  call = call_of(&f.x, &f.y);
  call.x = &x;
  x.data = nullptr;
  REFUSES(call, CTCONV_ERR_MISUSE_NULL, "x.data");
  x = *f.x.get();
  x.shape = nullptr;
  REFUSES(call, CTCONV_ERR_MISUSE_NULL, "x.shape");
  run(f.op, call_of(&f.x, &f.y));
}

TEST_CASE("misuse: options", "[capi][misuse][cpu]") {
  Fixture f;
  const ctconv_options good = options_init();
  ctconv_options o = good;
  const auto refuses = [&](ctconv_status want, const char* argument) {
    refused(f.create_with(o), f.error, want, argument);
    o = good;
  };
  CHECK(f.create_with(o) == CTCONV_OK);
  for (const char* device : {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:9999999", "CPU", "cpu:0", "cuda:0 "}) {
    INFO(device);
    o.device = device;
    refuses(CTCONV_ERR_MISUSE_DEVICE, "device");
  }
  for (const char* engine : {"", "fastest", "Native", "native "}) {
    INFO(engine);
    o.engine = engine;
    refuses(CTCONV_ERR_MISUSE_ENGINE, "engine");
  }
  o.engine = "cudnn";  // not on the CPU
  refuses(CTCONV_ERR_MISUSE_ENGINE, "engine");
  o.device = "cuda:0";
  o.engine = "native";  // not on a GPU
  refuses(CTCONV_ERR_MISUSE_ENGINE, "engine");
  for (int32_t threads : {-1, 4097, INT_MIN, INT_MAX}) {
    o.threads = threads;
    refuses(CTCONV_ERR_MISUSE_OPTION, "threads");
  }
  for (int32_t limit : {-1, 65537, INT_MIN}) {
    o.plan_limit = limit;
    refuses(CTCONV_ERR_MISUSE_OPTION, "plan_limit");
  }
  for (int32_t tuning : {-1, 2}) {
    o.tuning = tuning;
    refuses(CTCONV_ERR_MISUSE_OPTION, "tuning");
  }
  for (int32_t flag : {-1, 2}) {
    o.math = flag;
    refuses(CTCONV_ERR_MISUSE_OPTION, "math");
    o.allow_tf32 = flag;
    refuses(CTCONV_ERR_MISUSE_OPTION, "allow_tf32");
    o.borrow_weights = flag;
    refuses(CTCONV_ERR_MISUSE_OPTION, "borrow_weights");
  }
  for (int32_t bits : {-1, 3, INT_MIN}) {
    o.reproducible = bits;
    refuses(CTCONV_ERR_MISUSE_OPTION, "reproducible");
    CHECK(std::string(f.error.range) == "0, 1 or 2");
  }
  for (int32_t bits : {0, 1, 2}) {
    o.reproducible = bits;
    o.math = bits % 2;
    CHECK(f.create_with(o) == CTCONV_OK);
    o = good;
  }
  for (int32_t activation : {-1, 6}) {
    o.activation = activation;
    refuses(CTCONV_ERR_MISUSE_ACTIVATION, "activation");
  }
  o.activation = CTCONV_ACTIVATION_CLIP;
  o.activation_alpha = 2;
  o.activation_beta = 1;
  refuses(CTCONV_ERR_MISUSE_ACTIVATION, "activation_alpha");
  o.activation = CTCONV_ACTIVATION_CLIP;
  o.activation_alpha = NAN;
  o.activation_beta = 1;
  refuses(CTCONV_ERR_MISUSE_ACTIVATION, "activation_alpha");
  o.activation = CTCONV_ACTIVATION_LEAKY_RELU;
  o.activation_alpha = NAN;
  refuses(CTCONV_ERR_MISUSE_ACTIVATION, "activation_alpha");
  o.activation = CTCONV_ACTIVATION_CLIP;
  o.activation_alpha = 1;
  o.activation_beta = 1;
  CHECK(f.create_with(o) == CTCONV_OK);
}

TEST_CASE("misuse: an engine refusal lists the engines of this build, in the order of the list",
          "[capi][misuse][cpu]") {
  Fixture f;
  std::string all = "auto", host = "auto";
  const int32_t last = ctconv_engine_count() - 1;  // the device's
  for (int32_t n = 0; n <= last; ++n) {
    const std::string name = ctconv_engine_name(n);
    all += ", " + name;
    if (n == last) continue;
    host += ", " + name;
    ctconv_options built = options_init();
    built.engine = name.c_str();
    INFO(name);
    CHECK(f.create_with(built) == CTCONV_OK);
  }
  ctconv_options o = options_init();
  o.engine = "fastest";
  refused(f.create_with(o), f.error, CTCONV_ERR_MISUSE_ENGINE, "engine");
  CHECK(std::string(f.error.range) == all);
  o.engine = ctconv_engine_name(last);
  refused(f.create_with(o), f.error, CTCONV_ERR_MISUSE_ENGINE, "engine");
  CHECK(std::string(f.error.range) == host);
  o.device = "cuda";
  o.engine = "reference";
  refused(f.create_with(o), f.error, CTCONV_ERR_MISUSE_ENGINE, "engine");
  CHECK(std::string(f.error.range) == "auto, " + std::string(ctconv_engine_name(last)));
}

TEST_CASE("misuse: an engine that this build leaves out is known, but unsupported", "[capi][misuse][cpu]") {
  Fixture f;
  std::string built;
  for (int32_t n = 0; n < ctconv_engine_count(); ++n) built += ctconv_engine_name(n) + std::string(" ");
  ctconv_options o = options_init();
  o.engine = "onednn";
  const ctconv_status status = f.create_with(o);
  if (built.find("onednn ") != std::string::npos) {
    CHECK(status == CTCONV_OK);
  } else {
    refused(status, f.error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
    CHECK(std::string(f.error.range) == "auto, native, winograd, amx, dot, reference");
  }
}

// One comparison with every earlier name would be 8 * 10^10 of them: minutes, beyond this test's limit.
TEST_CASE("misuse: 400,000 names cost no more than their number", "[capi][misuse][cpu]") {
  constexpr int kNames = 400000;
  Desc desc("ctconv");
  const auto name = [](int n) { return "a_name_that_does_not_fit_inside_a_string_" + std::to_string(n); };
  for (int n = 0; n < kNames; ++n) {
    if (ctconv_desc_set_int(desc.get(), name(n).c_str(), n) != CTCONV_OK) FAIL("set " << n);
  }
  for (int n = kNames - 1; n >= 0; --n) {  // again, from the other end: each keeps its place
    if (ctconv_desc_set_int(desc.get(), name(n).c_str(), n + 5) != CTCONV_OK) FAIL("set again " << n);
  }
  Error error;
  refused(ctconv_desc_validate(desc.get(), &error), error, CTCONV_ERR_TYPE_ARGUMENT_NAME);
  CHECK(std::string(error.value) == "5");  // of the first name set, as before
}

TEST_CASE("misuse: an activation in the arguments and in the options", "[capi][misuse]") {
  Desc desc("keras.layers.Conv2DTranspose");
  desc.set("filters", 2).set("kernel_size", 3).set("activation", "relu");
  ctconv_options options = options_init();
  Error error;
  ctconv_op* op = nullptr;
  CHECK(ctconv_create(desc.get(), nullptr, nullptr, &options, &op, &error) == CTCONV_OK);
  ctconv_destroy(op);
  options.activation = CTCONV_ACTIVATION_TANH;
  refused(ctconv_create(desc.get(), nullptr, nullptr, &options, &op, &error), error, CTCONV_ERR_MISUSE_ACTIVATION,
          "activation");
  CHECK(op == nullptr);
}

TEST_CASE("misuse: tensor records", "[capi][misuse]") {
  Fixture f;
  ctconv_tensor t = *f.x.get();
  ctconv_call call = call_of(&f.x, &f.y);
  call.x = &t;
  const auto reset = [&] { t = *f.x.get(); };
  for (int32_t ndim : {-1, 9, INT_MIN, INT_MAX}) {
    t.ndim = ndim;
    REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  }
  reset();
  t.dtype_bits = 0;
  REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  reset();
  t.dtype_lanes = 0;
  REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  reset();
  Shape negative = f.x.shape();
  negative[2] = -1;
  t.shape = negative.data();
  REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  Shape far(4, INT64_MAX / 4);
  reset();
  t.strides = far.data();  // reaches beyond 63 bits
  REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  reset();
  for (uint64_t offset : {1, 2, 3}) {
    t.byte_offset = offset;
    REFUSES(call, CTCONV_ERR_MISUSE_ALIGNMENT, "x");
  }
  for (uint64_t offset : {uint64_t{1} << 63, UINT64_MAX - 7}) {  // no address lies there
    t.byte_offset = offset;
    REFUSES(call, CTCONV_ERR_MISUSE_TENSOR, "x");
  }
  for (int32_t device : test_device().elsewhere) {
    reset();
    t.device_type = device;
    REFUSES(call, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "x");
  }
  reset();
  call.x = f.x.get();
  ctconv_tensor y = *f.y.get();
  call.y = &y;
  y.device_type = test_device().elsewhere[0];
  REFUSES(call, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "y");
  y = *f.y.get();
  y.byte_offset = 2;
  REFUSES(call, CTCONV_ERR_MISUSE_ALIGNMENT, "y");
  reset();
  t.device_type = test_device().also_here;  // pinned host memory counts as CPU, managed memory as any device
  call = call_of(&f.x, &f.y);
  call.x = &t;
  CHECK(f.execute(call) == CTCONV_OK);

  ctconv_tensor w = *f.w.get();
  w.device_type = CTCONV_DEVICE_CUDA;
  ctconv_op* op = nullptr;
  const ctconv_status created = ctconv_create(f.desc.get(), &w, nullptr, default_options(), &op, &f.error);
  if (test_device().cpu()) {
    refused(created, f.error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "weight");
  } else {
    CHECK(created == CTCONV_OK);
  }
  ctconv_destroy(op);
  refused(ctconv_init_weight(f.desc.get(), 0, &w, &f.error), f.error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "out");
}

TEST_CASE("misuse: byte_offset is added to data", "[capi][misuse]") {
  Fixture f;
  ctconv_tensor x = *f.x.get();
  x.data = static_cast<char*>(x.data) - 8;
  x.byte_offset = 8;
  ctconv_call call = call_of(&f.x, &f.y);
  call.x = &x;
  CHECK(f.execute(call) == CTCONV_OK);
  CHECK(f.y.values() == f.conv.scatter(f.x, f.w, &f.b));
}

TEST_CASE("misuse: y of the wrong shape or type, or where something else lies", "[capi][misuse]") {
  Fixture f;
  ctconv_call call = call_of(&f.x, &f.y);
  ctconv_tensor y = *f.y.get();
  call.y = &y;
  Shape shape = f.y.shape();
  shape[3] -= 1;
  y.shape = shape.data();
  REFUSES(call, CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  y = *f.y.get();
  y.ndim = 3;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  y = *f.y.get();
  y.dtype_code = CTCONV_DTYPE_INT;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_DTYPE, "y");
  y = *f.y.get();
  y.dtype_bits = 16;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_DTYPE, "y");

  Shape meets = f.y.strides();
  for (size_t axis : {0, 1, 2, 3}) {
    meets = f.y.strides();
    meets[axis] = 0;
    y = *f.y.get();
    y.strides = meets.data();
    REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  }
  meets = f.y.strides();
  meets[2] -= 1;  // rows that share their last element with the next row
  y.strides = meets.data();
  REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");

  // Both dense and sharing bytes, from either side, down to the last element.
  y = *f.y.get();
  call = call_of(&f.x, &f.y);
  ctconv_tensor x = *f.x.get();
  call.x = &x;
  const int64_t x_bytes = static_cast<int64_t>(f.x.values().size()) * 4;
  const int64_t y_bytes = static_cast<int64_t>(f.y.values().size()) * 4;
  x.data = y.data;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  x.data = static_cast<char*>(y.data) + y_bytes - 4;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  x.data = static_cast<char*>(y.data) - x_bytes + 4;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  x = *f.x.get();
  call.workspace = static_cast<char*>(y.data) + y_bytes - 1;
  call.workspace_bytes = 1 << 20;
  REFUSES(call, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
}

TEST_CASE("misuse: y beside its neighbours in one buffer is fine", "[capi][misuse]") {
  Fixture f;
  const int64_t x_count = static_cast<int64_t>(f.x.values().size()),
                y_count = static_cast<int64_t>(f.y.values().size());
  std::vector<float> buffer(static_cast<size_t>(2 * x_count + y_count));
  ctconv_tensor x = *f.x.get(), y = *f.y.get();
  for (int64_t at : {int64_t{0}, x_count + y_count}) {  // x right before y, and right after
    const auto values = f.x.values();
    for (int64_t i = 0; i < x_count; ++i)
      buffer[static_cast<size_t>(at + i)] = static_cast<float>(values[static_cast<size_t>(i)]);
    x.data = buffer.data() + at;
    y.data = buffer.data() + x_count;
    ctconv_call call = call_of(&f.x, &f.y);
    call.x = &x;
    call.y = &y;
    REQUIRE(f.execute(call) == CTCONV_OK);
    const auto want = f.conv.scatter(f.x, f.w, &f.b);
    for (int64_t i = 0; i < y_count; ++i)
      REQUIRE(buffer[static_cast<size_t>(x_count + i)] == want[static_cast<size_t>(i)]);
  }
}

TEST_CASE("misuse: weight twice or nowhere", "[capi][misuse]") {
  Fixture f;
  REFUSES(call_of(&f.x, &f.y, &f.w), CTCONV_ERR_MISUSE_WEIGHT_TWICE, "weight");
  REFUSES(call_of(&f.x, &f.y, nullptr, &f.b), CTCONV_ERR_MISUSE_WEIGHT_TWICE, "bias");
  f.op = create(f.desc, nullptr, nullptr);
  REFUSES(call_of(&f.x, &f.y), CTCONV_ERR_MISUSE_WEIGHT_MISSING, "weight");
  CHECK(f.execute(call_of(&f.x, &f.y, &f.w, &f.b)) == CTCONV_OK);

  // Where the shapes come from the weight, output_spec cannot do without either.
  Desc onnx("onnx.ConvTranspose");
  Op op = create(onnx, nullptr, nullptr);
  ctconv_call call = call_of(&f.x, nullptr);
  ctconv_spec spec;
  refused(ctconv_output_spec(op.get(), &call, &spec, &f.error), f.error, CTCONV_ERR_MISUSE_WEIGHT_MISSING);
  CHECK(spec.ndim == 0);
  refused(ctconv_desc_weight_spec(onnx.get(), nullptr, &spec, nullptr, &f.error), f.error,
          CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC);
}

TEST_CASE("misuse: workspace and stream", "[capi][misuse]") {
  Fixture f;
  ctconv_call call = call_of(&f.x, &f.y);
  call.workspace_bytes = 1;
  REFUSES(call, CTCONV_ERR_MISUSE_WORKSPACE, "workspace");
  call = call_of(&f.x, &f.y);
  call.stream = &call;
  if (test_device().cpu()) {
    REFUSES(call, CTCONV_ERR_MISUSE_STREAM, "stream");
  } else {
    run(f.op, call);
  }
}

TEST_CASE("misuse: values", "[capi][misuse][cpu]") {
  const auto fails = [](const ctconv_value& value) {
    Desc desc = Conv().desc();
    Error error;
    CHECK(ctconv_desc_set(desc.get(), "stride", &value) == CTCONV_ERR_MISUSE_VALUE);
    refused(ctconv_desc_validate(desc.get(), &error), error, CTCONV_ERR_MISUSE_VALUE, "stride");  // remembered
  };
  ctconv_value v = {};
  for (int32_t tag : {-1, 9, INT_MAX}) {
    v = {};
    v.tag = tag;
    fails(v);
  }
  v = {};
  v.tag = CTCONV_VALUE_BOOL;
  v.i = 2;
  fails(v);
  for (int32_t tag : {CTCONV_VALUE_TUPLE, CTCONV_VALUE_LIST}) {
    v = {};
    v.tag = tag;
    v.i = 1;  // NULL items
    fails(v);
    v.i = -1;
    fails(v);
    v.i = INT64_MAX;
    fails(v);
  }
  for (int32_t tag : {CTCONV_VALUE_STRING, CTCONV_VALUE_OTHER}) {
    v = {};
    v.tag = tag;
    v.i = 1;  // NULL text
    fails(v);
    v.text = "x";
    v.i = -1;
    fails(v);
    v.i = INT64_MAX;
    fails(v);
  }
  v = {};
  v.tag = CTCONV_VALUE_TENSOR;  // NULL tensor
  fails(v);

  // Eight levels are the deepest.
  ctconv_value levels[10] = {};
  for (int n = 0; n < 9; ++n) {
    levels[n].tag = CTCONV_VALUE_TUPLE;
    levels[n].i = 1;
    levels[n].items = &levels[n + 1];
  }
  levels[9].tag = CTCONV_VALUE_INT;
  fails(levels[0]);
  Desc desc = Conv().desc();
  CHECK(ctconv_desc_set(desc.get(), "stride", &levels[1]) == CTCONV_OK);
  Error error;
  refused(ctconv_desc_validate(desc.get(), &error), error, CTCONV_ERR_TYPE_STRIDE, "stride");
  CHECK(ctconv_desc_set(desc.get(), "stride", nullptr) == CTCONV_ERR_MISUSE_NULL);
}
