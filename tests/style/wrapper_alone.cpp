// SPDX-License-Identifier: Apache-2.0
// The C++ wrapper alone, as C++17 and as C++20 with every warning an error: what compiles, what must not, what a set
// passes on, which views are refused, and y in memory of its own.
#include "ctconv/ctconv.hpp"

namespace {
struct OwnHalf {
  unsigned short bits;
};
}  // namespace
template <>
struct ctconv::Element<OwnHalf> : ctconv::IsElement<ctconv::Float16> {};

namespace {

using ctconv::ConstTensor;
using ctconv::Desc;
using ctconv::Op;
using ctconv::Tensor;
using ctconv::Value;

// True where op.execute(X, Y) compiles.
template <class X, class Y, class = void>
struct Executes : std::false_type {};
template <class X, class Y>
struct Executes<X, Y, std::void_t<decltype(std::declval<const Op&>().execute(std::declval<X>(), std::declval<Y>()))>>
    : std::true_type {};
// True where desc.init_weight(1, Y) compiles.
template <class Y, class = void>
struct Initialises : std::false_type {};
template <class Y>
struct Initialises<Y, std::void_t<decltype(std::declval<const Desc&>().init_weight(1, std::declval<Y>()))>>
    : std::true_type {};

template <class T>
using ViewOf = decltype(ctconv::view(std::declval<T*>(), {1}));

static_assert(Executes<ViewOf<float>, ViewOf<float>>::value, "a view of plain data is an input and an output");
static_assert(Executes<ViewOf<const float>, ViewOf<float>>::value, "a view of const data is an input");
static_assert(!Executes<ViewOf<float>, ViewOf<const float>>::value, "const data is never written");
static_assert(!Initialises<ViewOf<const double>>::value && Initialises<ViewOf<double>>::value,
              "const data is never written");
static_assert(!std::is_constructible_v<Tensor, const float*, ctconv::Dtype, std::vector<int64_t>>, "nor by hand");
static_assert(!std::is_convertible_v<ConstTensor, Tensor>, "nor by conversion");
static_assert(std::is_constructible_v<Op, const Desc&, ConstTensor, ConstTensor>, "weight and bias are inputs");
static_assert(std::is_convertible_v<ConstTensor, Value> && std::is_convertible_v<Tensor, Value>, "arguments are read");

static_assert(std::is_same_v<decltype(ctconv::view(std::declval<std::vector<float>&>(), {1})), Tensor>, "containers");
static_assert(std::is_same_v<decltype(ctconv::view(std::declval<const std::vector<float>&>(), {1})), ConstTensor>,
              "a const container is an input");
static_assert(ctconv::dtype_for<ctconv::Float16> == ctconv::kFloat16, "16-bit types have views");
static_assert(ctconv::dtype_for<const ctconv::Bfloat16> == ctconv::kBfloat16, "const or not");
static_assert(std::is_same_v<ViewOf<OwnHalf>, Tensor> && ctconv::dtype_for<OwnHalf> == ctconv::kFloat16,
              "a type of the caller's own joins by one specialisation");

int failures = 0;

// The kernel that `desc` understood: its weight's last two extents.
void expect_kernel(const Desc& desc, int64_t rows, int64_t columns) {
  const ctconv_spec weight = desc.weight_spec().weight;
  if (weight.ndim != 4 || weight.shape[2] != rows || weight.shape[3] != columns) ++failures;
}

template <class Call>
void expect_refused(Call call) {
  try {
    call();
    ++failures;
  } catch (const std::invalid_argument&) {
  }
}

void check_views() {
  std::vector<double> data(12);
  const std::array<float, 6> fixed{};
  if (ctconv::view(data, {3, 4}).dtype() != ctconv::kFloat64) ++failures;
  if (ctconv::view(fixed, {2, 3}).shape() != std::vector<int64_t>{2, 3}) ++failures;
  ctconv::view(data, {2, 3}, {6, 2});
  ctconv::view(data, {1000}, {0});
  expect_refused([&] { ctconv::view(data, {3, 5}); });
  expect_refused([&] { ctconv::view(data, {3, 3}); });
  expect_refused([&] { ctconv::view(data, {-3, -4}); });
  expect_refused([&] { ctconv::view(data, {INT64_MAX, INT64_MAX}); });
  expect_refused([&] { ctconv::view(data, {0, 4}); });
  expect_refused([&] { ctconv::view(data, {2, 3}, {10, 1}); });
  expect_refused([&] { ctconv::view(data, {2, 3}, {INT64_MAX, 1}); });
  expect_refused([&] { ctconv::view(data, {2, 3}, {-1, 1}); });
  expect_refused([&] { ctconv::view(data, {1, 1, 1, 1, 1, 1, 1, 2, 6}); });
#if __cplusplus >= 202002L
  std::span<double> part = std::span(data).subspan(6);
  if (ctconv::view(part, {2, 3}).c().data != &data[6]) ++failures;
  static_assert(std::is_same_v<decltype(ctconv::view(std::span<const double>(part), {6})), ConstTensor>);
  expect_refused([&] { ctconv::view(part, {3, 4}); });
#endif
}

// y = x as long as the kernel is 1 and the weight 1, in memory of y's own; the same in 16 bits.
void check_owned() {
  Desc desc("torch.nn.ConvTranspose1d");
  desc.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 1);
  if (desc.make_weight(1).shape() != std::vector<int64_t>{1, 1, 1} || !desc.make_bias(2)) ++failures;
  if (Op(desc, desc.make_weight(1), desc.make_bias(2)).describe().empty()) ++failures;
  desc.set("bias", false);
  if (desc.make_bias(2)) ++failures;
  const std::vector<float> one{1}, x{3, 4, 5};
  const ctconv::Array y = Op(desc, ctconv::view(one, {1, 1, 1}))(ctconv::view(x, {1, 1, 3}));
  if (y.shape() != std::vector<int64_t>{1, 1, 3} || y.size() != 3 || y.data<float>()[2] != 5) ++failures;
  if (reinterpret_cast<std::uintptr_t>(y.raw()) % 64 != 0) ++failures;
  expect_refused([&] { y.data<double>(); });
  const std::vector<ctconv::Bfloat16> short_one{{0x3f80}}, short_x{{0x4000}, {0xc000}};
  const Op short_op(desc, ctconv::view(short_one, {1, 1, 1}));
  const ctconv::Array short_y = short_op(ctconv::view(short_x, {1, 1, 2}));
  if (short_y.dtype() != ctconv::kBfloat16 || short_y.data<ctconv::Bfloat16>()[1].bits != 0xc000) ++failures;
#if __cplusplus >= 202002L
  if (y.span<float>().back() != 5) ++failures;
#endif
  // An Array is an input and an output.
  ctconv::Array again(y.dtype(), y.shape());
  Op(desc, ctconv::view(one, {1, 1, 1})).execute(y, again);
  if (again.data<float>()[0] != 3) ++failures;
}

}  // namespace

int main() {
  check_views();
  check_owned();
  Desc desc("torch.nn.ConvTranspose2d");
  desc.set("in_channels", 1).set("out_channels", 1);
  expect_kernel(desc.set("kernel_size", {4, 3}), 4, 3);
  const int rows = 5;
  const int64_t columns = 2;
  expect_kernel(desc.set("kernel_size", {rows, rows}), 5, 5);
  expect_kernel(desc.set("kernel_size", {columns, columns}), 2, 2);
  expect_kernel(desc.set("kernel_size", std::vector<int>{3, 2}), 3, 2);
  expect_kernel(desc.set("kernel_size", std::vector<int64_t>{2, 3}), 2, 3);
  expect_kernel(desc.set("kernel_size", ctconv::tuple({1, 2})), 1, 2);
  expect_kernel(desc.set("kernel_size", 6), 6, 6);
  expect_kernel(desc.set("padding_mode", "zeros").set("bias", false).set("dtype", {}), 6, 6);
  try {
    desc.set("kernel_size", {4}).validate();  // a tuple of one is not the number
    ++failures;
  } catch (const ctconv::error& e) {
    if (e.status() != CTCONV_ERR_VALUE_KERNEL_SIZE_LENGTH) ++failures;
  }
  // The wrapper asks for detail: a failed call without one would throw an empty message.
  try {
    Desc unknown("no such dialect");
    ++failures;
  } catch (const ctconv::error& e) {
    if (e.record().struct_size != sizeof(ctconv_error) || e.record().message[0] == '\0') ++failures;
  }
  return failures;
}
