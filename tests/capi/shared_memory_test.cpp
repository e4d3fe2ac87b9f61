// SPDX-License-Identifier: Apache-2.0
// Memory that two tensors share: every byte looked at, against capi/shared_memory's answer; slices of one array.
#include "capi/shared_memory.h"

#include <algorithm>
#include <set>

#include "src/base/show.h"
#include "tests/capi/support.h"
#include "tests/rig/arguments.h"

using namespace capi;
using ctconv::Span;
using ctconv::TensorView;

namespace {

TensorView view_of(char* data, ctconv::ElementType type, const Shape& shape, const Shape& strides) {
  TensorView t = ctconv::rig::tensor(shape, type);
  t.data = data;
  std::copy(strides.begin(), strides.end(), t.strides.begin());
  return t;
}

bool judged_shared(const TensorView& a, const TensorView& b) {
  Span span;
  REQUIRE(ctconv::span_of(a, "y", &span).ok());
  return !ctconv::judge_shared({"y", a, span}, "x", b).ok();
}

std::set<const char*> bytes_under(const TensorView& t) {
  std::set<int64_t> offsets{0};
  for (int a = 0; a < t.ndim; ++a) {
    std::set<int64_t> next;
    for (int64_t at : offsets) {
      for (int64_t i = 0; i < t.shape[static_cast<size_t>(a)]; ++i) {
        next.insert(at + i * t.strides[static_cast<size_t>(a)]);
      }
    }
    offsets = next;
  }
  std::set<const char*> bytes;
  for (int64_t at : offsets) {
    for (int64_t e = 0; e < ctconv::bytes_of(t.type); ++e) {
      bytes.insert(static_cast<const char*>(t.data) + at * ctconv::bytes_of(t.type) + e);
    }
  }
  return bytes;
}

TensorView random_view(std::mt19937_64& rng, char* middle) {
  const ctconv::ElementType types[] = {{2, 16, 1}, {2, 32, 1}, {2, 64, 1}};
  std::vector<int64_t> shape, strides;
  for (int64_t n = pick(rng, 1, 3); n > 0; --n) {
    shape.push_back(pick(rng, 1, 4));
    strides.push_back(pick(rng, -12, 12));
  }
  return view_of(middle + pick(rng, -40, 40), types[pick(rng, 0, 2)], shape, strides);
}

}  // namespace

TEST_CASE("shared memory: judged as every byte says", "[capi][cpu]") {
  const uint64_t seed = test_seed();
  CAPTURE(seed);
  std::mt19937_64 rng(seed);
  std::vector<char> memory(4096);
  int shared = 0;
  for (int n = 0; n < 4000; ++n) {
    const TensorView a = random_view(rng, memory.data() + 2048), b = random_view(rng, memory.data() + 2048);
    const auto of_a = bytes_under(a), of_b = bytes_under(b);
    const bool both = std::any_of(of_a.begin(), of_a.end(), [&](const char* p) { return of_b.contains(p); });
    CAPTURE(n, ctconv::show_shape(a), ctconv::show_shape(b));
    REQUIRE(judged_shared(a, b) == both);
    shared += both;
  }
  CHECK(shared > 400);
  CHECK(shared < 3600);
}

TEST_CASE("shared memory: an empty tensor shares none, whatever its strides", "[capi][cpu]") {
  std::vector<char> memory(64);
  const TensorView y = view_of(memory.data(), {2, 32, 1}, {4}, {2});
  CHECK_FALSE(judged_shared(y, view_of(memory.data() + 4, {2, 16, 1}, {0, 3}, {1, INT64_MIN})));
}

TEST_CASE("shared memory: slices of one array along the channels", "[capi][cpu]") {
  Conv c;
  c.n = 2;
  c.ci = c.co = 4;
  c.in = {3, 5};
  c.k = c.s = c.d = {1, 1};
  c.lo = c.hi = {0, 0};
  c.bias = false;
  Tensor w(c.w_shape());
  Op op = create(c.desc(), &w, nullptr);
  Tensor array({2, 8, 3, 5});
  const Shape shape = c.x_shape(), strides = {120, 15, 5, 1};
  const auto slice = [&](int64_t first) {
    ctconv_tensor t = *array.get();
    t.shape = shape.data();
    t.strides = strides.data();
    t.byte_offset += static_cast<uint64_t>(first * strides[1]) * sizeof(float);
    return t;
  };
  const ctconv_tensor x = slice(0);
  for (int64_t first = 0; first <= 4; ++first) {
    const ctconv_tensor y = slice(first);
    ctconv_call call = CTCONV_CALL_INIT;
    call.x = &x;
    call.y = &y;
    Error e;
    CAPTURE(first);
    if (first < 4) {
      refused(ctconv_execute(op.get(), &call, &e), e, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
    } else {
      CHECK(ctconv_execute(op.get(), &call, &e) == CTCONV_OK);
    }
  }
}

TEST_CASE("values: few arrays that many lists share are refused, not copied", "[capi][cpu]") {
  std::vector<ctconv_value> levels[7];
  for (auto& level : levels) level.resize(40);
  for (size_t d = 0; d < 7; ++d) {
    for (ctconv_value& v : levels[d]) {
      v.tag = d == 0 ? CTCONV_VALUE_INT : CTCONV_VALUE_LIST;
      v.i = d == 0 ? 1 : 40;
      v.items = d == 0 ? nullptr : levels[d - 1].data();
    }
  }
  ctconv_value top = levels[6][0];
  Desc desc("torch.nn.ConvTranspose2d");
  CHECK(ctconv_desc_set(desc.get(), "kernel_size", &top) == CTCONV_ERR_MISUSE_VALUE);
  const std::string text(1 << 20, 'x');
  for (ctconv_value& v : levels[0]) v.tag = CTCONV_VALUE_STRING, v.i = 1 << 20, v.text = text.data();
  top = levels[2][0];  // 1,600 texts of 1 MiB
  CHECK(ctconv_desc_set(desc.get(), "stride", &top) == CTCONV_ERR_MISUSE_VALUE);
  top = levels[1][0];
  CHECK(ctconv_desc_set(desc.get(), "dilation", &top) == CTCONV_OK);  // 40 of them
}
