// SPDX-License-Identifier: Apache-2.0
// See support.h.
#include "tests/capi/support.h"

#include <cstdlib>
#include <cstring>

#include "src/base/half.h"

namespace capi {
namespace {

constexpr size_t kGuard = 64;
constexpr unsigned char kPattern = 0xA5;

// Calls f(index) for each index of a shape, row-major.
template <class F>
void each(const Shape& shape, F&& f) {
  for (int64_t extent : shape) {
    if (extent == 0) return;
  }
  Shape index(shape.size(), 0);
  while (true) {
    f(index);
    size_t a = shape.size();
    while (a-- > 0) {
      if (++index[a] < shape[a]) break;
      index[a] = 0;
    }
    if (a == static_cast<size_t>(-1)) return;
  }
}

Shape dense(const Shape& shape) {
  Shape strides(shape.size());
  int64_t step = 1;
  for (size_t a = shape.size(); a-- > 0;) {
    strides[a] = step;
    step *= shape[a] > 0 ? shape[a] : 1;
  }
  return strides;
}

}  // namespace

TestDevice& test_device() {
  static TestDevice device;
  return device;
}

ctconv_options options_init() {
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.device = test_device().name;
  return options;
}

const ctconv_options* default_options() {
  static const ctconv_options options = options_init();
  return test_device().cpu() ? nullptr : &options;
}

double load(const void* data, Dtype type, int64_t at) {
  switch (type) {
    case Dtype::kF32:
      return static_cast<const float*>(data)[at];
    case Dtype::kF64:
      return static_cast<const double*>(data)[at];
    case Dtype::kF16:
      return ctconv::f16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kBf16:
      return ctconv::bf16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kI8:
      return static_cast<const int8_t*>(data)[at];
    case Dtype::kI32:
      return static_cast<const int32_t*>(data)[at];
  }
  return 0;
}

void store(void* data, Dtype type, int64_t at, double value) {
  const auto f = static_cast<float>(value);
  switch (type) {
    case Dtype::kF32:
      static_cast<float*>(data)[at] = f;
      break;
    case Dtype::kF64:
      static_cast<double*>(data)[at] = value;
      break;
    case Dtype::kF16:
      static_cast<uint16_t*>(data)[at] = ctconv::f32_to_f16(f);
      break;
    case Dtype::kBf16:
      static_cast<uint16_t*>(data)[at] = ctconv::f32_to_bf16(f);
      break;
    case Dtype::kI8:
      static_cast<int8_t*>(data)[at] = static_cast<int8_t>(value);
      break;
    case Dtype::kI32:
      static_cast<int32_t*>(data)[at] = static_cast<int32_t>(value);
      break;
  }
}

Tensor::Tensor(Shape shape, Dtype type) : Tensor(shape, dense(shape), type) { record_.strides = nullptr; }

Tensor::Tensor(Shape shape, Shape strides, Dtype type)
    : shape_(std::move(shape)), strides_(std::move(strides)), type_(type) {
  int64_t low = 0, high = 0;
  bool empty = false;
  for (size_t a = 0; a < shape_.size(); ++a) {
    empty = empty || shape_[a] == 0;
    (strides_[a] < 0 ? low : high) += (shape_[a] - 1) * strides_[a];
  }
  if (empty) {
    low = 0;
    high = -1;
  }
  origin_ = -low;
  bytes_.assign(2 * kGuard + static_cast<size_t>(high - low + 1) * size_of(type_), kPattern);
  allocate();
}

Tensor::Tensor(const Tensor& other)
    : shape_(other.shape_), strides_(other.strides_), type_(other.type_), origin_(other.origin_), bytes_(other.bytes_) {
  allocate();
}

void Tensor::allocate() {
  const auto element = ctconv::element_type(type_);
  record_.data = bytes_.data() + kGuard + static_cast<size_t>(origin_) * size_of(type_);
  record_.device_type = test_device().tensors;
  record_.ndim = static_cast<int32_t>(shape_.size());
  record_.dtype_code = element.code;
  record_.dtype_bits = element.bits;
  record_.dtype_lanes = element.lanes;
  record_.shape = shape_.data();
  record_.strides = strides_.data();
}

double Tensor::at(const Shape& index) const {
  int64_t offset = 0;
  for (size_t a = 0; a < index.size(); ++a) offset += index[a] * strides_[a];
  return load(record_.data, type_, offset);
}

void Tensor::set(const Shape& index, double value) {
  int64_t offset = 0;
  for (size_t a = 0; a < index.size(); ++a) offset += index[a] * strides_[a];
  store(record_.data, type_, offset, value);
}

Tensor& Tensor::integers(uint64_t seed) {
  std::mt19937_64 rng(seed);
  each(shape_, [&](const Shape& i) { set(i, static_cast<double>(pick(rng, -3, 3))); });
  return *this;
}

Tensor& Tensor::reals(uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<double> normal;
  each(shape_, [&](const Shape& i) { set(i, normal(rng)); });
  return *this;
}

Tensor& Tensor::constant(double value) {
  each(shape_, [&](const Shape& i) { set(i, value); });
  return *this;
}

std::vector<double> Tensor::values() const {
  std::vector<double> out;
  each(shape_, [&](const Shape& i) { out.push_back(at(i)); });
  return out;
}

std::vector<unsigned char> Tensor::bits() const {
  std::vector<unsigned char> out;
  each(shape_, [&](const Shape& i) {
    int64_t offset = 0;
    for (size_t a = 0; a < i.size(); ++a) offset += i[a] * strides_[a];
    const auto* p = static_cast<const unsigned char*>(record_.data) + offset * static_cast<int64_t>(size_of(type_));
    out.insert(out.end(), p, p + size_of(type_));
  });
  return out;
}

bool Tensor::guarded() const {
  Tensor mask = *this;
  std::fill(mask.bytes_.begin(), mask.bytes_.end(), static_cast<unsigned char>(0));
  each(shape_, [&](const Shape& i) {
    int64_t offset = 0;
    for (size_t a = 0; a < i.size(); ++a) offset += i[a] * strides_[a];
    std::memset(static_cast<unsigned char*>(mask.record_.data) + offset * static_cast<int64_t>(size_of(type_)), 1,
                size_of(type_));
  });
  for (size_t b = 0; b < bytes_.size(); ++b) {
    if (mask.bytes_[b] == 0 && bytes_[b] != kPattern) return false;
  }
  return true;
}

bool Tensor::untouched() const {
  for (unsigned char b : bytes_) {
    if (b != kPattern) return false;
  }
  return true;
}

Desc::Desc(const char* dialect) {
  Error error;
  INFO(dialect);
  REQUIRE(ctconv_desc_create(dialect, &desc_, &error) == CTCONV_OK);
}
Desc& Desc::set(const char* name, int64_t value) {
  REQUIRE(ctconv_desc_set_int(desc_, name, value) == CTCONV_OK);
  return *this;
}
Desc& Desc::set(const char* name, bool value) {
  REQUIRE(ctconv_desc_set_bool(desc_, name, value) == CTCONV_OK);
  return *this;
}
Desc& Desc::set(const char* name, double value) {
  REQUIRE(ctconv_desc_set_float(desc_, name, value) == CTCONV_OK);
  return *this;
}
Desc& Desc::set(const char* name, const char* value) {
  REQUIRE(ctconv_desc_set_string(desc_, name, value) == CTCONV_OK);
  return *this;
}
Desc& Desc::set(const char* name, const Shape& value) {
  REQUIRE(ctconv_desc_set_ints(desc_, name, value.data(), value.size()) == CTCONV_OK);
  return *this;
}
Desc& Desc::none(const char* name) {
  REQUIRE(ctconv_desc_set_none(desc_, name) == CTCONV_OK);
  return *this;
}

Shape Conv::x_shape() const {
  Shape s = {n};
  if (!last) s.push_back(ci);
  s.insert(s.end(), in.begin(), in.end());
  if (last) s.push_back(ci);
  return s;
}

Shape Conv::w_shape() const {
  Shape s = {ci, co / groups};
  s.insert(s.end(), k.begin(), k.end());
  return s;
}

Shape Conv::y_shape() const {
  Shape s = {n};
  if (!last) s.push_back(co);
  for (size_t a = 0; a < rank(); ++a) s.push_back(out(a));
  if (last) s.push_back(co);
  return s;
}

Desc Conv::desc() const {
  Desc desc("ctconv");
  desc.set("in_channels", ci)
      .set("out_channels", co)
      .set("groups", groups)
      .set("kernel_size", k)
      .set("stride", s)
      .set("dilation", d);
  desc.set("pad_begin", lo).set("pad_end", hi).set("output_padding", extra).set("zero_tail", tail).set("bias", bias);
  if (last) desc.set("data_format", "channels_last");
  return desc;
}

std::vector<double> Conv::scatter(const Tensor& x, const Tensor& w, const Tensor* b) const {
  Tensor y(y_shape(), Dtype::kF64);
  y.constant(0);
  const auto place = [&](int64_t image, int64_t channel, const Shape& point) {
    Shape index = {image};
    if (!last) index.push_back(channel);
    index.insert(index.end(), point.begin(), point.end());
    if (last) index.push_back(channel);
    return index;
  };
  Shape core_shape;
  for (size_t a = 0; a < rank(); ++a) core_shape.push_back(core(a));
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t o = 0; o < co; ++o) {
      if (b) each(core_shape, [&](const Shape& p) { y.set(place(image, o, p), b->at({o})); });
    }
    for (int64_t c = 0; c < ci; ++c) {
      const int64_t group = c / (ci / groups);
      each(in, [&](const Shape& i) {
        const double value = x.at(place(image, c, i));
        for (int64_t o = 0; o < co / groups; ++o) {
          each(k, [&](const Shape& t) {
            Shape point(rank());
            for (size_t a = 0; a < rank(); ++a) {
              point[a] = i[a] * s[a] + t[a] * d[a] - lo[a];
              if (point[a] < 0 || point[a] >= core(a)) return;
            }
            Shape tap = {c, o};
            tap.insert(tap.end(), t.begin(), t.end());
            const Shape at = place(image, group * (co / groups) + o, point);
            y.set(at, y.at(at) + value * w.at(tap));
          });
        }
      });
    }
  }
  return y.values();
}

ctconv_call call_of(Tensor* x, Tensor* y, Tensor* w, Tensor* b) {
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = x ? x->get() : nullptr;
  call.y = y ? y->get() : nullptr;
  call.weight = w ? w->get() : nullptr;
  call.bias = b ? b->get() : nullptr;
  return call;
}

Op create(const Desc& desc, Tensor* w, Tensor* b, const ctconv_options* options) {
  Error error;
  ctconv_op* op = nullptr;
  const ctconv_status status = ctconv_create(desc.get(), w ? w->get() : nullptr, b ? b->get() : nullptr,
                                             options != nullptr ? options : default_options(), &op, &error);
  INFO(error.text());
  REQUIRE(status == CTCONV_OK);
  REQUIRE(op != nullptr);
  return Op(op);
}

void run(const Op& op, const ctconv_call& call) {
  Error error;
  const ctconv_status status = ctconv_execute(op.get(), &call, &error);
  INFO(error.text());
  REQUIRE(status == CTCONV_OK);
}

std::string value_of(const std::string& text, const std::string& key) {
  const size_t at = ("\n" + text).find("\n" + key + ": ");
  REQUIRE(at != std::string::npos);
  const size_t start = at + key.size() + 2;
  return text.substr(start, text.find('\n', start) - start);
}

std::string describe(const Op& op, const ctconv_call* call) {
  Error error;
  size_t needed = 0;
  const ctconv_status status = ctconv_describe(op.get(), call, nullptr, 0, &needed, &error);
  INFO(error.text());
  REQUIRE(status == CTCONV_OK);
  std::string text(needed, '?');
  REQUIRE(ctconv_describe(op.get(), call, text.data(), text.size(), nullptr, nullptr) == CTCONV_OK);
  text.pop_back();
  return text;
}

std::string engine_of(const Op& op, const ctconv_call& call) {
  const std::string text = describe(op, &call);
  REQUIRE(text.rfind("engine: ", 0) == 0);
  return text.substr(8, text.find('\n') - 8);
}

bool valid_utf8(const char* text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text);
  while (*p != 0) {
    const int more = *p < 0x80 ? 0 : (*p & 0xE0) == 0xC0 ? 1 : (*p & 0xF0) == 0xE0 ? 2 : (*p & 0xF8) == 0xF0 ? 3 : -1;
    if (more < 0) return false;
    ++p;
    for (int n = 0; n < more; ++n, ++p) {
      if ((*p & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

void refused(ctconv_status got, const ctconv_error& error, ctconv_status want) {
  INFO(error.message);
  CHECK(std::string(ctconv_status_name(got)) == ctconv_status_name(want));
  CHECK(got == want);
  CHECK(error.status == got);
  CHECK(error.kind == got / 1000);
  CHECK(strnlen(error.argument, sizeof error.argument) < sizeof error.argument);
  CHECK(strnlen(error.value, sizeof error.value) < sizeof error.value);
  CHECK(strnlen(error.range, sizeof error.range) < sizeof error.range);
  const size_t length = strnlen(error.message, sizeof error.message);
  CHECK(length < sizeof error.message);
  CHECK(length > 10);
}

void refused(ctconv_status got, const ctconv_error& error, ctconv_status want, const std::string& argument) {
  refused(got, error, want);
  INFO(error.message);
  CHECK(error.argument == argument);
  CHECK(error.value[0] != '\0');
  CHECK(error.range[0] != '\0');
  CHECK(std::string(error.message).find(argument) != std::string::npos);
}

uint64_t test_seed() {
  const char* given = std::getenv("CTCONV_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20250601;
}

int64_t pick(std::mt19937_64& rng, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(rng);
}

Conv random_conv(std::mt19937_64& rng) {
  while (true) {
    Conv c;
    const auto rank = static_cast<size_t>(pick(rng, 1, 3));
    c.n = pick(rng, 1, 2);
    c.groups = pick(rng, 0, 3) ? 1 : pick(rng, 2, 3);
    c.ci = c.groups * pick(rng, 1, 4);
    c.co = c.groups * pick(rng, 1, 4);
    c.last = pick(rng, 0, 1) == 1;
    c.bias = pick(rng, 0, 1) == 1;
    for (Shape* v : {&c.in, &c.k, &c.s, &c.d, &c.lo, &c.hi, &c.extra, &c.tail}) v->resize(rank);
    bool fits = true;
    for (size_t a = 0; a < rank; ++a) {
      c.in[a] = pick(rng, 1, rank == 3 ? 4 : 7);
      c.k[a] = pick(rng, 1, rank == 3 ? 3 : 4);
      c.s[a] = pick(rng, 1, 3);
      c.d[a] = pick(rng, 1, 2);
      c.lo[a] = pick(rng, 0, 2);
      c.hi[a] = pick(rng, 0, 2);
      c.extra[a] = pick(rng, 0, 3) ? 0 : pick(rng, 1, 4);
      c.tail[a] = pick(rng, 0, 5) ? 0 : pick(rng, 1, 2);
      fits = fits && c.core(a) >= 1;
    }
    if (fits) return c;
  }
}

}  // namespace capi
