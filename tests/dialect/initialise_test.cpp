// SPDX-License-Identifier: Apache-2.0
// Initialisers: known answers, the distributions, independence, layouts, every name.
#include "src/dialect/initialise.h"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstring>
#include <map>

#include "src/base/half.h"
#include "src/base/normal.h"
#include "src/base/philox.h"
#include "src/base/tensor.h"
#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

using namespace ctconv;

namespace {

Value tuple(std::initializer_list<int64_t> v) {
  Value t;
  t.tag = Value::kTuple;
  for (int64_t i : v) t.items.push_back(int_value(i));
  return t;
}

Value real(double f) {
  Value v;
  v.tag = Value::kFloat;
  v.f = f;
  return v;
}

using Args = std::vector<std::pair<std::string, Value>>;

Descriptor describe(const std::string& dialect, const Args& args) {
  std::string_view version;
  const Dialect* d = find_dialect(dialect, &version);
  REQUIRE(d != nullptr);
  Arguments a;
  for (const auto& [name, value] : args) a.set(name, value);
  Result<Descriptor> r = interpret(*d, a, version);
  INFO((r.ok() ? "" : r.status().detail().message));
  REQUIRE(r.ok());
  return r.value();
}

TensorView view(std::vector<double>* data, const std::vector<int64_t>& shape) {
  TensorView t;
  t.type = element_type(Dtype::kF64);
  t.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape.begin());
  data->resize(static_cast<size_t>(count_of(t)));
  lie_dense(&t, data->data());
  return t;
}

std::vector<double> weight(const Descriptor& d, const std::vector<int64_t>& shape, uint64_t seed = 1) {
  std::vector<double> data;
  const TensorView t = view(&data, shape);
  REQUIRE(initialise_weight(d, seed, t).ok());
  return data;
}

std::vector<double> bias(const Descriptor& d, const std::vector<int64_t>& weight_shape, int64_t n, uint64_t seed = 1) {
  std::vector<double> data;
  const TensorView t = view(&data, {n});
  REQUIRE(initialise_bias(d, seed, weight_shape, t).ok());
  return data;
}

struct Moments {
  double mean = 0, sigma = 0, least = 0, most = 0;
};

Moments moments(const std::vector<double>& v) {
  Moments m;
  for (double x : v) m.mean += x;
  m.mean /= static_cast<double>(v.size());
  for (double x : v) m.sigma += (x - m.mean) * (x - m.mean);
  m.sigma = std::sqrt(m.sigma / static_cast<double>(v.size()));
  m.least = *std::min_element(v.begin(), v.end());
  m.most = *std::max_element(v.begin(), v.end());
  return m;
}

// Five standard errors of the mean, and of the variance (kurtosis of a normal is the larger one).
void check_moments(const std::vector<double>& v, double mean, double sigma) {
  const Moments m = moments(v);
  const double n = static_cast<double>(v.size());
  INFO("mean " << m.mean << " sigma " << m.sigma << " wanted " << mean << " " << sigma);
  CHECK(std::fabs(m.mean - mean) < 5 * sigma / std::sqrt(n));
  CHECK(std::fabs(m.sigma / sigma - 1) < 5 / std::sqrt(2 * n));
}

void check_uniform(const std::vector<double>& v, double bound) {
  check_moments(v, 0, bound / std::sqrt(3.0));
  const Moments m = moments(v);
  CHECK(m.least >= -bound);
  CHECK(m.most <= bound);
  CHECK(m.most > 0.99 * bound);
  CHECK(m.least < -0.99 * bound);
  // Ten equal bins hold a tenth each: chi-square with 9 degrees of freedom, 0.9999 quantile 33.7.
  std::array<double, 10> bins{};
  for (double x : v) ++bins[std::min<size_t>(9, static_cast<size_t>((x / bound + 1) * 5))];
  double chi = 0;
  const double want = static_cast<double>(v.size()) / 10;
  for (double b : bins) chi += (b - want) * (b - want) / want;
  CHECK(chi < 33.7);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const Moments ma = moments(a), mb = moments(b);
  double s = 0;
  for (size_t i = 0; i < a.size(); ++i) s += (a[i] - ma.mean) * (b[i] - mb.mean);
  return s / (static_cast<double>(a.size()) * ma.sigma * mb.sigma);
}

const Args kLayer = {{"in_channels", int_value(32)}, {"out_channels", int_value(48)}, {"kernel_size", tuple({3, 3})}};
const std::vector<int64_t> kShape = {32, 48, 3, 3};  // 13824 elements, fan_in 432, fan_out 288

Descriptor mindspore(const Value& init, const std::string& version = "") {
  Args a = kLayer;
  if (!init.is_none()) a.emplace_back("weight_init", init);
  a.emplace_back("has_bias", bool_value(true));
  return describe("mindspore.nn.Conv2dTranspose" + version, a);
}

}  // namespace

TEST_CASE("philox4x32-10: the published known answers", "[init]") {
  CHECK(philox4x32_10({0, 0, 0, 0}, 0, 0) == PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32_10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff) ==
        PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("normal quantile: against erfc, and symmetric", "[init]") {
  for (double p : {1e-300, 1e-17, 1e-10, 1e-5, 0.01, 0.07, 0.075, 0.2, 0.4999, 0.5}) {
    const double z = normal_quantile(p);
    INFO(p << " " << z);
    CHECK(std::fabs(0.5 * std::erfc(-z / std::sqrt(2.0)) / p - 1) < 1e-11);
  }
  for (uint64_t word : {uint64_t{0}, uint64_t{1} << 40, ~uint64_t{0}, uint64_t{0x123456789abcdef0}}) {
    CHECK(normal_quantile(unit_open(word)) == -normal_quantile(unit_open(~word)));
  }
  for (double x : {1e-300, 1e-20, 0.1, 0.7071, 0.99, 1.0, 1.01, 1.5, 2.0, 1e10}) {
    CHECK(std::fabs(portable_log(x) - std::log(x)) <= 2e-15 * std::fabs(std::log(x)) + 1e-300);
  }
}

TEST_CASE("initialisers: same seed same bits, other seeds and parameters unrelated", "[init]") {
  const Descriptor d = mindspore(string_value("normal"));
  const auto a = weight(d, kShape, 7), b = weight(d, kShape, 7), c = weight(d, kShape, 8);
  CHECK(a == b);
  const double limit = 5 / std::sqrt(static_cast<double>(a.size()));
  CHECK(std::fabs(correlation(a, c)) < limit);
  // High seed bits count too.
  CHECK(std::fabs(correlation(a, weight(d, kShape, 7 + (uint64_t{1} << 40)))) < limit);
  // Neighbours within and across the generator's blocks, and rows of the weight.
  for (size_t lag : {size_t{1}, size_t{2}, size_t{3}, size_t{432}}) {
    INFO("lag " << lag);
    CHECK(std::fabs(correlation(std::vector<double>(a.begin(), a.end() - static_cast<std::ptrdiff_t>(lag)),
                                std::vector<double>(a.begin() + static_cast<std::ptrdiff_t>(lag), a.end()))) < limit);
  }
  // Weight and bias draw from different streams.
  Args args = kLayer;
  args.emplace_back("has_bias", bool_value(true));
  args.emplace_back("weight_init", string_value("uniform"));
  args.emplace_back("bias_init", string_value("uniform"));
  const Descriptor same = describe("mindspore.nn.Conv2dTranspose", args);
  const auto w = weight(same, {48, 32, 3, 3}), v = bias(same, {48, 32, 3, 3}, 13824);
  CHECK(std::fabs(correlation(w, v)) < limit);
}

TEST_CASE("initialisers: bits are pinned", "[init]") {
  // The first elements of a fixed seed; a change here breaks reproducibility of users' models.
  const auto uniform = weight(mindspore(string_value("uniform")), kShape, 42);
  const auto normal = weight(mindspore(string_value("normal")), kShape, 42);
  const auto bits = [](double x) { return std::bit_cast<uint64_t>(x); };
  CHECK(bits(uniform[0]) == 0xbf720384eb1b6262ull);
  CHECK(bits(uniform[1]) == 0xbf96d06816eb42f3ull);
  CHECK(bits(normal[0]) == 0xbf49d4311ab998f6ull);
  CHECK(bits(normal[13823]) == 0xbf90b442a87ecc71ull);
}

TEST_CASE("initialisers: a prefix does not depend on the shape, nor the values on layout and element type", "[init]") {
  const Descriptor d = mindspore(string_value("normal"));
  const auto dense = weight(d, kShape, 3);
  // Channels-last strides of the same logical tensor.
  std::vector<double> storage(dense.size());
  TensorView last;
  last.type = element_type(Dtype::kF64);
  last.ndim = 4;
  last.shape = {32, 48, 3, 3};
  last.strides = {48 * 9, 1, 3 * 48, 48};
  last.data = storage.data();
  REQUIRE(initialise_weight(d, 3, last).ok());
  bool same = true;
  for (int64_t i = 0; i < 32; ++i)
    for (int64_t o = 0; o < 48; ++o)
      for (int64_t k = 0; k < 9; ++k)
        same = same && storage[static_cast<size_t>(i * 432 + o + k / 3 * 144 + k % 3 * 48)] ==
                           dense[static_cast<size_t>((i * 48 + o) * 9 + k)];
  CHECK(same);
  // A reversed view.
  TensorView reversed = last;
  reversed.strides = {-432, -9, -3, -1};
  reversed.data = storage.data() + storage.size() - 1;
  REQUIRE(initialise_weight(d, 3, reversed).ok());
  CHECK(std::equal(dense.begin(), dense.end(), storage.rbegin()));
  // Narrow types hold the rounded value.
  std::vector<uint16_t> narrow(dense.size());
  std::vector<float> single(dense.size());
  std::vector<double> unused;
  TensorView t = view(&unused, kShape);
  t.data = narrow.data();
  t.type = element_type(Dtype::kF16);
  REQUIRE(initialise_weight(d, 3, t).ok());
  CHECK(narrow[5] == f32_to_f16(static_cast<float>(dense[5])));
  t.type = element_type(Dtype::kBf16);
  REQUIRE(initialise_weight(d, 3, t).ok());
  CHECK(narrow[5] == f32_to_bf16(static_cast<float>(dense[5])));
  t.type = element_type(Dtype::kF32);
  t.data = single.data();
  REQUIRE(initialise_weight(d, 3, t).ok());
  CHECK(single[5] == static_cast<float>(dense[5]));
}

TEST_CASE("initialisers: every mindspore name and alias", "[init]") {
  const auto named = [](const char* name) { return weight(mindspore(string_value(name)), kShape); };
  const double fan_in = 432, fan_out = 288;
  for (const char* n : {"Normal", "normal", "NORMAL", "TruncatedNormal", "truncatednormal"})
    check_moments(named(n), 0, 0.01);
  for (const char* n : {"Uniform", "uniform"}) check_uniform(named(n), 0.07);
  for (const char* n : {"HeUniform", "heuniform", "he_uniform"}) check_uniform(named(n), std::sqrt(6 / fan_in));
  for (const char* n : {"XavierUniform", "xavieruniform", "xavier_uniform"})
    check_uniform(named(n), std::sqrt(6 / (fan_in + fan_out)));
  for (const char* n : {"HeNormal", "henormal", "he_normal"}) check_moments(named(n), 0, std::sqrt(2 / fan_in));
  for (const char* n : {"XavierNormal", "xavier_normal"}) check_moments(named(n), 0, std::sqrt(2 / (fan_in + fan_out)));
  for (const char* n : {"One", "one", "ones"}) CHECK(moments(named(n)).least == 1);
  for (const char* n : {"Zero", "zero", "zeros"}) CHECK(moments(named(n)).most == 0);
  CHECK(weight(mindspore(bool_value(true)), kShape)[17] == 1);
  CHECK(weight(mindspore(int_value(-3)), kShape)[17] == -3);
  CHECK(weight(mindspore(real(0.25)), kShape)[17] == 0.25);
  for (const char* unknown : {"truncated_normal", "constant", "", "glorot_uniform"}) {
    Arguments a;
    for (const auto& [name, value] : kLayer) a.set(name, value);
    a.set("weight_init", string_value(unknown));
    std::string_view version;
    const Result<Descriptor> r = interpret(*find_dialect("mindspore.nn.Conv2dTranspose", &version), a, version);
    CHECK(r.status().code() == Code::VALUE_WEIGHT_INIT);
  }
}

TEST_CASE("initialisers: what None means in each dialect", "[init]") {
  const double in = 1 / std::sqrt(432.0);
  check_uniform(weight(mindspore(none_value()), kShape), in);
  check_uniform(bias(mindspore(none_value()), kShape, 13824), in);
  check_moments(weight(mindspore(none_value(), "@2.0"), kShape), 0, 0.01);
  CHECK(moments(bias(mindspore(none_value(), "@2.0"), kShape, 48)).most == 0);
  check_uniform(weight(describe("torch.nn.ConvTranspose2d", kLayer), kShape), in);
  check_uniform(bias(describe("torch.nn.ConvTranspose2d", kLayer), kShape, 13824), in);
  check_uniform(weight(describe("paddle.nn.Conv2DTranspose", kLayer), kShape), std::sqrt(6.0 / 720));
  CHECK(moments(bias(describe("paddle.nn.Conv2DTranspose", kLayer), kShape, 48)).most == 0);
  // MegEngine: fan counts Cout in 2-D and Cin in 3-D, groups apart.
  check_moments(weight(describe("megengine.module.ConvTranspose2d", kLayer), kShape), 0, std::sqrt(1.0 / (48 * 9)));
  Args three = kLayer;
  three[2].second = tuple({3, 3, 3});
  three.emplace_back("groups", int_value(2));
  check_moments(weight(describe("megengine.module.ConvTranspose3d", three), {2, 16, 24, 3, 3, 3}), 0,
                std::sqrt(1.0 / (32 * 27)));
  const Descriptor keras =
      describe("keras.layers.Conv2DTranspose", {{"filters", int_value(48)}, {"kernel_size", tuple({3, 3})}});
  check_uniform(weight(keras, {3, 3, 48, 32}), std::sqrt(6.0 / 720));
  CHECK(moments(bias(keras, {3, 3, 48, 32}, 48)).most == 0);
}

TEST_CASE("initialisers: grouped weights count fans of the real shape", "[init]") {
  Args a = kLayer;
  a.emplace_back("groups", int_value(4));
  check_uniform(weight(describe("torch.nn.ConvTranspose2d", a), {32, 12, 3, 3}), 1 / std::sqrt(12.0 * 9));
}

TEST_CASE("initialisers: truncation cuts where it says", "[init]") {
  Descriptor d = mindspore(none_value());
  // The cut is absolute: sigma 3 fills [-2, 2], mean 5 stays below 2.
  d.weight_init = {.kind = Initialiser::kTruncatedNormal, .a = 0, .b = 3, .lo = -2, .hi = 2};
  const Moments wide = moments(weight(d, kShape));
  CHECK(wide.least >= -2);
  CHECK(wide.most <= 2);
  CHECK(wide.most > 1.99);
  CHECK(std::fabs(wide.mean) < 0.05);
  d.weight_init = {.kind = Initialiser::kTruncatedNormal, .a = 5, .b = 3, .lo = -2, .hi = 2};
  CHECK(moments(weight(d, kShape)).most <= 2);
  // A cut that leaves nothing still ends, at the nearer bound.
  d.weight_init = {.kind = Initialiser::kTruncatedNormal, .a = 5, .b = 0.01, .lo = -2, .hi = 2};
  CHECK(weight(d, {1, 2, 1, 1})[0] == 2);
  // Keras he_normal: variance 2 / fan_in after the cut at two sigma.
  const Descriptor keras = describe(
      "keras.layers.Conv2DTranspose",
      {{"filters", int_value(48)}, {"kernel_size", tuple({3, 3})}, {"kernel_initializer", string_value("he_normal")}});
  const auto v = weight(keras, {3, 3, 48, 32});
  const double sigma = std::sqrt(2.0 / (48 * 9));
  check_moments(v, 0, sigma);
  CHECK(moments(v).most <= 2 * sigma / 0.87962566103423978);
}

TEST_CASE("initialisers: dirac, orthogonal, tensors", "[init]") {
  const auto dirac = weight(mindspore(string_value("dirac")), kShape);
  for (size_t i = 0; i < dirac.size(); ++i) {
    const size_t row = i / 432, column = i / 9 % 48, tap = i % 9;
    REQUIRE(dirac[i] == (row == column && tap == 4 ? 1 : 0));
  }
  const auto q = weight(mindspore(string_value("orthogonal")), kShape);  // 32 rows of 432
  double worst = 0;
  for (size_t a = 0; a < 32; ++a)
    for (size_t b = 0; b <= a; ++b) {
      double dot = 0;
      for (size_t k = 0; k < 432; ++k) dot += q[a * 432 + k] * q[b * 432 + k];
      worst = std::max(worst, std::fabs(dot - (a == b)));
    }
  CHECK(worst < 1e-13);
  const auto tall = weight(mindspore(string_value("orthogonal")), {64, 2, 3, 3});  // 64 rows of 18: columns orthonormal
  double dot = 0, norm = 0;
  for (size_t k = 0; k < 64; ++k) {
    dot += tall[k * 18] * tall[k * 18 + 7];
    norm += tall[k * 18] * tall[k * 18];
  }
  CHECK(std::fabs(dot) < 1e-13);
  CHECK(std::fabs(norm - 1) < 1e-13);

  Args a = {{"in_channels", int_value(1)}, {"out_channels", int_value(1)}, {"kernel_size", tuple({1, 3})}};
  Value tensor;
  tensor.tag = Value::kTensor;
  tensor.tensor.type = element_type(Dtype::kBf16);
  tensor.tensor.ndim = 4;
  tensor.tensor.shape = {1, 1, 1, 3};
  const uint16_t halves[3] = {f32_to_bf16(1.5f), f32_to_bf16(-2), f32_to_bf16(0.25f)};
  tensor.bytes.resize(sizeof halves);
  std::memcpy(tensor.bytes.data(), halves, sizeof halves);
  a.emplace_back("weight_init", tensor);
  CHECK(weight(describe("mindspore.nn.Conv2dTranspose", a), {1, 1, 1, 3}) == std::vector<double>{1.5, -2, 0.25});
}

TEST_CASE("initialisers: refusals", "[init]") {
  std::vector<double> data;
  const TensorView vector = view(&data, {48});
  Args a = kLayer;
  a.emplace_back("has_bias", bool_value(true));
  a.emplace_back("bias_init", string_value("he_uniform"));
  CHECK(initialise_bias(describe("mindspore.nn.Conv2dTranspose", a), 1, kShape, vector).code() ==
        Code::UNSUPPORTED_INIT);
  a.back().second = string_value("orthogonal");
  CHECK(initialise_bias(describe("mindspore.nn.Conv2dTranspose", a), 1, kShape, vector).code() ==
        Code::UNSUPPORTED_INIT);
  std::vector<double> five;
  const TensorView w = view(&five, {32, 48, 1, 1, 1});
  const Descriptor ops =
      describe("mindspore.ops.Conv3DTranspose",
               {{"in_channel", int_value(32)}, {"out_channel", int_value(48)}, {"kernel_size", int_value(1)}});
  CHECK(initialise_weight(ops, 1, w).code() == Code::UNSUPPORTED_INIT);
  // A tensor whose shape only the call can compare (Keras).
  Value tensor;
  tensor.tag = Value::kTensor;
  tensor.tensor.type = element_type(Dtype::kF32);
  tensor.tensor.ndim = 1;
  tensor.tensor.shape = {2};
  tensor.bytes.resize(8);
  const Descriptor keras =
      describe("keras.layers.Conv2DTranspose",
               {{"filters", int_value(48)}, {"kernel_size", int_value(3)}, {"kernel_initializer", tensor}});
  std::vector<double> k;
  CHECK(initialise_weight(keras, 1, view(&k, {3, 3, 48, 32})).code() == Code::VALUE_WEIGHT_INIT);
}

TEST_CASE("initialise: no dialect lists whole numbers, and a filling refuses them", "[init]") {
  int8_t data[3] = {1, 2, 3};
  TensorView out;
  out.data = data;
  out.type = {.code = 0, .bits = 8};
  out.ndim = 1;
  out.shape[0] = 3;
  out.strides[0] = 1;
  const Status refused = initialise_weight(Descriptor(), 1, out);
  CHECK(refused.code() == Code::TYPE_INPUT_DTYPE);
  CHECK((data[0] == 1 && data[1] == 2 && data[2] == 3));
}
