// SPDX-License-Identifier: Apache-2.0
// The C++ wrapper alone, as C++17 with every warning an error: what compiles, what must not, and what a set passes on.
#include "ctconv/ctconv.hpp"

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

int failures = 0;

// The kernel that `desc` understood: its weight's last two extents.
void expect_kernel(const Desc& desc, int64_t rows, int64_t columns) {
  const ctconv_spec weight = desc.weight_spec().weight;
  if (weight.ndim != 4 || weight.shape[2] != rows || weight.shape[3] != columns) ++failures;
}

}  // namespace

int main() {
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
