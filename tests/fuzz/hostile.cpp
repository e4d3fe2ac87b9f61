// SPDX-License-Identifier: Apache-2.0
// See hostile.h.
#include "tests/fuzz/hostile.h"

#include <array>
#include <cstring>
#include <deque>
#include <vector>

#include "include/ctconv/ctconv.h"

namespace hostile {
namespace {

constexpr const char* kWords[] = {"",
                                  "same",
                                  "valid",
                                  "pad",
                                  "SAME",
                                  "VALID",
                                  "zeros",
                                  "reflect",
                                  "NCHW",
                                  "NHWC",
                                  "NCDHW",
                                  "NDHWC",
                                  "NCL",
                                  "channels_last",
                                  "channels_first",
                                  "relu",
                                  "sigmoid",
                                  "float32",
                                  "float16",
                                  "normal",
                                  "he_uniform",
                                  "xavier_uniform",
                                  "linear",
                                  "SAME_UPPER",
                                  "SAME_LOWER",
                                  "NOTSET",
                                  "\xC3\xA9\xC3\xA9",
                                  "int",
                                  "numpy.int64",
                                  "gelu",
                                  "tanh"};

// Owns every part of the values it makes.
class Maker : public Draws {
 public:
  explicit Maker(Source& source) : Draws(source) {}

  int64_t modest() { return static_cast<int64_t>(1 + s_.below(4)); }
  int64_t number() { return chance(3) ? extreme() : modest(); }

  ctconv_value integer(int64_t i) {
    ctconv_value v = {};
    v.tag = CTCONV_VALUE_INT;
    v.i = i;
    return v;
  }
  ctconv_value text(int32_t tag, const char* word) {
    ctconv_value v = {};
    v.tag = tag;
    v.text = word;
    v.i = static_cast<int64_t>(std::strlen(word));
    return v;
  }
  ctconv_value sequence(size_t count, int depth) {
    ctconv_value v = {};
    v.tag = chance(3) ? CTCONV_VALUE_LIST : CTCONV_VALUE_TUPLE;
    v.i = static_cast<int64_t>(count);
    lists_.emplace_back(count);
    std::vector<ctconv_value>& items = lists_.back();
    for (size_t n = 0; n < count; ++n) items[n] = chance(12) ? value(depth + 1) : integer(number());
    v.items = items.data();
    return v;
  }
  ctconv_value value(int depth = 0) {
    ctconv_value v = {};
    switch (s_.below(10)) {
      case 0:
        return v;
      case 1:
        v.tag = CTCONV_VALUE_BOOL;
        v.i = static_cast<int64_t>(s_.below(2));
        return v;
      case 2: {
        constexpr double kFloats[] = {0.0, -0.0, 1.0, 0.5, -1.0, 1e300, -1e300, __builtin_inf(), __builtin_nan("")};
        v.tag = CTCONV_VALUE_FLOAT;
        v.f = kFloats[s_.below(std::size(kFloats))];
        return v;
      }
      case 3:
        return text(CTCONV_VALUE_STRING, kWords[s_.below(std::size(kWords))]);
      case 4:
        return text(CTCONV_VALUE_OTHER, kWords[s_.below(std::size(kWords))]);
      case 5:
        return depth < 4 ? sequence(s_.below(8), depth) : v;
      case 6:
        v.tag = CTCONV_VALUE_TENSOR;
        v.tensor = tensor();
        return v;
      case 7:
        v.tag = static_cast<int32_t>(s_.below(20)) - 5;
        v.i = extreme();
        v.items = nullptr;
        return v;  // malformed
      default:
        return integer(number());
    }
  }
  // A small float tensor with real memory.
  const ctconv_tensor* tensor() {
    shapes_.emplace_back();
    int64_t count = 1;
    for (uint64_t n = s_.below(6); n > 0; --n) {
      shapes_.back().push_back(static_cast<int64_t>(s_.below(4)));
      count *= shapes_.back().back();
    }
    data_.emplace_back(static_cast<size_t>(count), 1.0f);
    ctconv_tensor t = {};
    t.data = data_.back().data();
    t.device_type = CTCONV_DEVICE_CPU;
    t.ndim = static_cast<int32_t>(shapes_.back().size());
    t.dtype_code = CTCONV_DTYPE_FLOAT;
    t.dtype_bits = 32;
    t.dtype_lanes = 1;
    t.shape = shapes_.back().data();
    tensors_.push_back(t);
    return &tensors_.back();
  }

 private:
  std::deque<std::vector<ctconv_value>> lists_;
  std::deque<std::vector<int64_t>> shapes_;
  std::deque<std::vector<float>> data_;
  std::deque<ctconv_tensor> tensors_;
};

bool valid_utf8(const char* text) {
  for (const auto* p = reinterpret_cast<const unsigned char*>(text); *p != 0;) {
    const int more = *p < 0x80 ? 0 : (*p & 0xE0) == 0xC0 ? 1 : (*p & 0xF0) == 0xE0 ? 2 : (*p & 0xF8) == 0xF0 ? 3 : -1;
    if (more < 0) return false;
    ++p;
    for (int n = 0; n < more; ++n, ++p) {
      if ((*p & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

}  // namespace

std::string fault_of(ctconv_status got, const ctconv_error& error) {
  if (std::string(ctconv_status_name(got)) == "CTCONV_ERR_UNKNOWN") return "unknown status";
  if (got == CTCONV_ERR_INTERNAL) return "INTERNAL";
  if (error.status != got) return "error.status differs from the returned status";
  if (got == CTCONV_OK) return "";
  if (error.kind != got / 1000) return "wrong kind";
  for (const auto& [text, size] : {std::pair<const char*, size_t>{error.argument, sizeof error.argument},
                                   {error.value, sizeof error.value},
                                   {error.range, sizeof error.range},
                                   {error.message, sizeof error.message}}) {
    if (strnlen(text, size) == size) return "a string without NUL";
    if (!valid_utf8(text)) return "invalid UTF-8";
  }
  if (std::strlen(error.message) <= 10) return "no message";
  if (got < 4000 && (!error.argument[0] || !error.value[0])) return "no argument or value";
  return "";
}

namespace {

// What a life needs to know of a dialect, asked once.
struct Known {
  struct Argument {
    std::string name;
    bool required;
  };
  const char* name;
  size_t rank;
  bool lists;  // takes lists, and one entry an axis
  bool nn_1d;  // mindspore.nn.Conv1dTranspose: numbers alone
  std::vector<Argument> arguments;
};

Known known(const char* dialect) {
  const std::string name = dialect;
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  Known k = {dialect,
             has("1d") || has("1D")   ? 1u
             : has("3d") || has("3D") ? 3u
                                      : 2u,
             has("keras") || has("onnx"),
             has("mindspore.nn.Conv1d"),
             {}};
  ctconv_argument a = CTCONV_ARGUMENT_INIT;
  for (int32_t i = 0; ctconv_dialect_argument(dialect, i, &a) == CTCONV_OK; ++i)
    k.arguments.push_back({a.name, a.required != 0});
  return k;
}

const std::vector<Known>& dialects() {
  static const std::vector<Known> all = [] {
    std::vector<Known> k;
    for (int32_t i = 0; i < ctconv_dialect_count(); ++i) k.push_back(known(ctconv_dialect_name(i)));
    return k;
  }();
  return all;
}

class Life {
 public:
  Life(Source& source, std::string* said, Counts* counts) : s_(source), make_(source), said_(said), counts_(*counts) {}
  ~Life() {
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string judged();
  std::string run();
  std::string legal();

 private:
  // Notes the answer; false and fault_ set where the report is incomplete.
  bool fine(const char* call, ctconv_status got) {
    if (said_ != nullptr)
      *said_ += std::string(call) + " -> " + ctconv_status_name(got) +
                (got ? ": " + std::string(error_.message) : std::string()) + "\n";
    const std::string fault = fault_of(got, error_);
    if (!fault.empty()) fault_ = std::string(call) + ": " + fault;
    return fault.empty();
  }
  void set(const char* name, const ctconv_value& value) {
    const ctconv_status got = ctconv_desc_set(desc_, name, &value);
    if (said_ == nullptr) return;
    *said_ += std::string("set ") + name + " tag " + std::to_string(value.tag) + " i " + std::to_string(value.i);
    for (int64_t n = 0; value.items && n < value.i && n < 8; ++n)
      *said_ += (n ? ", " : ": ") + std::to_string(value.items[n].i);
    *said_ += " -> " + std::string(ctconv_status_name(got)) + "\n";
  }
  void note(const char* name, const ctconv_tensor& t) {
    if (said_ == nullptr) return;
    *said_ +=
        std::string(name) + " of type " + std::to_string(t.dtype_code) + ", " + std::to_string(t.dtype_bits) + ":";
    for (int32_t a = 0; a < t.ndim; ++a) *said_ += " " + std::to_string(t.shape[a]);
    *said_ += "\n";
  }
  bool begin();
  void plausible(const Known& dialect);
  void replace(const Known& dialect);
  ctconv_tensor shaped(std::vector<int64_t>& shape, uint8_t code, uint8_t bits) {
    ctconv_tensor t = {};
    t.device_type = CTCONV_DEVICE_CPU;
    t.ndim = static_cast<int32_t>(shape.size());
    t.shape = shape.data();
    t.dtype_code = code;
    t.dtype_bits = bits;
    t.dtype_lanes = 1;
    return t;
  }
  std::string use();
  void add_region(const std::vector<int64_t>& shape, ctconv_call* call);

  Source& s_;
  Maker make_;
  std::string* said_;  // null: nobody asks
  Counts& counts_;
  std::string fault_;
  const Known* dialect_ = nullptr;
  ctconv_error error_ = CTCONV_ERROR_INIT;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  size_t rank_ = 2;
  int64_t in_ = 2;
  bool last_ = false;
  ctconv_value size_ = {};
  std::array<int64_t, 8> begin_{}, end_{}, x_begin_{}, x_shape_{};  // of a region
};

// A region, often of a plausible size; every array has as many entries as any record may read.
void Life::add_region(const std::vector<int64_t>& shape, ctconv_call* call) {
  for (size_t a = 0; a < begin_.size(); ++a) {
    begin_[a] = make_.chance(6) ? make_.extreme() : static_cast<int64_t>(s_.below(3));
    end_[a] = make_.chance(6) || begin_[a] > INT64_MAX - 8 ? make_.extreme() : begin_[a] + make_.modest();
    x_begin_[a] = make_.chance(6) ? make_.extreme() : static_cast<int64_t>(s_.below(2));
    const int64_t held = a < shape.size() ? shape[a] : 1;
    x_shape_[a] = make_.chance(6) ? make_.extreme() : held < INT64_MAX - 4 ? held + make_.modest() : held;
  }
  if (!make_.chance(8)) call->begin = begin_.data();
  if (!make_.chance(8)) call->end = end_.data();
  if (make_.chance(2)) call->x_begin = x_begin_.data();
  if (make_.chance(2)) call->x_shape = x_shape_.data();
}

// Arguments that may well be legal together.
void Life::plausible(const Known& dialect) {
  rank_ = dialect.rank;
  const int64_t groups = make_.chance(4) ? 2 : 1;
  in_ = groups * make_.modest();
  const int64_t out = groups * make_.modest();
  for (const auto& argument : dialect.arguments) {
    const std::string& n = argument.name;
    const char* name = n.c_str();
    std::array<ctconv_value, 3> items = {};
    const auto per_axis = [&](int64_t least) {
      if (make_.chance(2) && n != "kernel_size" && !dialect.lists)
        return set(name, make_.integer(least + static_cast<int64_t>(s_.below(3))));
      for (size_t a = 0; a < rank_; ++a) items[a] = make_.integer(least + static_cast<int64_t>(s_.below(3)));
      ctconv_value v = {};
      v.tag = dialect.lists ? CTCONV_VALUE_LIST : CTCONV_VALUE_TUPLE;
      v.i = static_cast<int64_t>(rank_);
      v.items = items.data();
      set(name, v);
    };
    if (n == "in_channels" || n == "in_channel") {
      set(name, make_.integer(in_));
    } else if (n == "out_channels" || n == "out_channel" || n == "filters" || n == "num_filters") {
      set(name, make_.integer(out));
    } else if (n == "groups" || n == "group") {
      if (groups > 1) set(name, make_.integer(groups));
    } else if (n == "kernel_size" || n == "filter_size") {
      dialect.nn_1d ? set(name, make_.integer(make_.modest())) : per_axis(1);
    } else if ((n == "stride" || n == "strides" || n == "dilation" || n == "dilations") && make_.chance(2)) {
      dialect.nn_1d ? set(name, make_.integer(make_.modest())) : per_axis(1);
    } else if ((n == "padding" || n == "pad_begin" || n == "pad_end" || n == "output_padding" || n == "zero_tail") &&
               make_.chance(3)) {
      per_axis(0);
    } else if (argument.required) {
      set(name, make_.integer(make_.modest()));
    }
  }
}

// Up to three arguments (or strangers) become anything.
void Life::replace(const Known& dialect) {
  for (uint64_t n = s_.below(4); n > 0; --n) {
    if (make_.chance(30))
      set("no_such_argument", make_.value());
    else
      set(dialect.arguments[s_.below(dialect.arguments.size())].name.c_str(),
          make_.chance(2)   ? make_.integer(make_.number())
          : make_.chance(2) ? make_.sequence(rank_, 0)
                            : make_.value());
  }
}

// A descriptor of some dialect with plausible arguments.
bool Life::begin() {
  const Known& dialect = dialects()[s_.below(dialects().size())];
  dialect_ = &dialect;
  if (said_ != nullptr) *said_ += std::string(dialect.name) + "\n";
  if (!fine("desc_create", ctconv_desc_create(dialect.name, &desc_, &error_))) return false;
  plausible(dialect);
  return true;
}

std::string Life::judged() {
  if (!begin()) return fault_;
  replace(*dialect_);
  const ctconv_status valid = ctconv_desc_validate(desc_, &error_);
  counts_.valid += valid == CTCONV_OK;
  fine("validate", valid);
  return fault_;
}

std::string Life::legal() {
  if (!begin()) return fault_;
  const ctconv_status created = ctconv_create(desc_, nullptr, nullptr, nullptr, &op_, &error_);
  if (!fine("create", created)) return fault_;
  if (created != CTCONV_OK) return "";
  ++counts_.valid;
  return use();
}

std::string Life::run() {
  const std::string fault = judged();
  if (!fault.empty() || desc_ == nullptr) return fault;
  const ctconv_status valid = error_.status;
  const ctconv_status created = ctconv_create(desc_, nullptr, nullptr, nullptr, &op_, &error_);
  if (!fine("create", created)) return fault_;
  if ((created == CTCONV_OK) != (op_ != nullptr)) return "create: status and pointer disagree";
  if ((valid == CTCONV_OK) != (created == CTCONV_OK)) return "create without tensors and validate disagree";
  return created == CTCONV_OK ? use() : "";
}

std::string Life::use() {
  // x: plausible, with extremes now and then.
  last_ = make_.chance(4);
  std::vector<int64_t> x_shape = {static_cast<int64_t>(s_.below(3))};
  if (!last_) x_shape.push_back(in_);
  for (size_t a = 0; a < rank_; ++a) x_shape.push_back(make_.modest() + 1);
  if (last_) x_shape.push_back(in_);
  if (make_.chance(4)) x_shape[s_.below(x_shape.size())] = make_.extreme();
  if (make_.chance(12)) x_shape.resize(s_.below(9));
  const bool f64 = make_.chance(6), f16 = !f64 && make_.chance(6);
  ctconv_tensor x = shaped(x_shape, CTCONV_DTYPE_FLOAT, f64 ? 64 : f16 ? 16 : 32);
  if (make_.chance(30)) {
    x.dtype_code = static_cast<uint8_t>(s_.below(256));
    x.dtype_bits = static_cast<uint8_t>(s_.below(256));
  }
  note("x", x);

  ctconv_spec w_spec, b_spec, y_spec;
  const ctconv_status specified = ctconv_desc_weight_spec(desc_, &x, &w_spec, &b_spec, &error_);
  if (!fine("weight_spec", specified)) return fault_;
  if (specified != CTCONV_OK && (w_spec.ndim != 0 || b_spec.ndim != 0)) return "weight_spec: a failure left a shape";

  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x;
  if (make_.chance(6)) {
    size_ = make_.chance(2) ? make_.sequence(rank_, 0) : make_.value();
    call.output_size = &size_;
  }
  if (make_.chance(3)) add_region(x_shape, &call);
  std::vector<int64_t> w_shape;
  ctconv_tensor w = {};
  if (specified == CTCONV_OK) {
    w_shape.assign(w_spec.shape, w_spec.shape + w_spec.ndim);
  } else {  // functional dialects: the caller's choice
    w_shape = {in_, make_.modest()};
    for (size_t a = 0; a < rank_; ++a) w_shape.push_back(make_.modest());
  }
  if (make_.chance(10)) w_shape[s_.below(w_shape.size())] = make_.extreme();
  w = shaped(w_shape, x.dtype_code, x.dtype_bits);
  note("w", w);
  if (specified != CTCONV_OK || make_.chance(2)) call.weight = &w;
  const ctconv_status shaped_status = ctconv_output_spec(op_, &call, &y_spec, &error_);
  if (!fine("output_spec", shaped_status)) return fault_;
  if (shaped_status != CTCONV_OK) return y_spec.ndim == 0 ? "" : "output_spec: a failure left a shape";
  ++counts_.created;

  size_t bytes = 1;
  const ctconv_status prepared = ctconv_prepare(op_, &call, &bytes, &error_);
  if (!fine("prepare", prepared)) return fault_;
  if (prepared != CTCONV_OK && bytes != 0) return "prepare: a failure left a size";
  char text[128];
  size_t needed = 0;
  const ctconv_status described = ctconv_describe(op_, &call, text, sizeof text, &needed, &error_);
  if (!fine("describe", described)) return fault_;
  if (described == CTCONV_OK && (needed == 0 || strnlen(text, sizeof text) == sizeof text)) return "describe: no text";
  if (prepared != CTCONV_OK) return "";
  ++counts_.planned;

  // Executed where everything is small.
  const auto count = [](const int64_t* shape, int32_t ndim) {
    double n = 1;
    for (int32_t a = 0; a < ndim; ++a) n *= static_cast<double>(shape[a] > 0 ? shape[a] : 0);
    return n;  // an extent below 0 is refused before anybody looks at the data
  };
  const double x_count = count(x.shape, x.ndim), w_count = count(w.shape, w.ndim),
               y_count = count(y_spec.shape, y_spec.ndim);
  if (x_count * w_count > 1e6 || y_count > 1e5 || x_count > 1e5 || w_count > 1e5 || bytes > (1 << 24)) return "";
  const size_t element = x.dtype_bits / 8;
  std::vector<unsigned char> x_data(static_cast<size_t>(x_count) * element + 1, 0),
      w_data(static_cast<size_t>(w_count) * element + 1, 0);
  std::vector<unsigned char> y_data(static_cast<size_t>(y_count) * element + 64, 0xA5), workspace(bytes + 1);
  for (size_t n = element - 1; n < x_data.size(); n += element) x_data[n] = 0x3C;  // some positive number in every type
  x.data = x_data.data();
  w.data = w_data.data();
  call.weight = &w;
  ctconv_tensor y = {};
  y.data = y_data.data();
  y.device_type = CTCONV_DEVICE_CPU;
  y.ndim = y_spec.ndim;
  y.dtype_code = y_spec.dtype_code;
  y.dtype_bits = y_spec.dtype_bits;
  y.dtype_lanes = y_spec.dtype_lanes;
  y.shape = y_spec.shape;
  call.y = &y;
  if (make_.chance(2)) {
    call.workspace = workspace.data();
    call.workspace_bytes = bytes;
  }
  const ctconv_status ran = ctconv_execute(op_, &call, &error_);
  if (!fine("execute", ran)) return fault_;
  size_t written = 0;
  for (size_t n = 0; n < y_data.size(); ++n)
    written += y_data[n] != 0xA5 && (ran != CTCONV_OK || n >= y_data.size() - 64);
  if (written != 0) return ran == CTCONV_OK ? "execute: wrote beyond y" : "execute: a failure wrote to y";
  if (ran == CTCONV_OK) ++counts_.executed;
  return "";
}

}  // namespace

std::string one_life(Source& source, std::string* said, Counts* counts) { return Life(source, said, counts).run(); }
std::string one_judged(Source& source, std::string* said, Counts* counts) {
  return Life(source, said, counts).judged();
}
std::string one_legal(Source& source, std::string* said, Counts* counts) { return Life(source, said, counts).legal(); }

}  // namespace hostile
