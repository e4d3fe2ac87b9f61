// SPDX-License-Identifier: Apache-2.0
// ctconv_stream.hpp: a stream in C++, its copies and refusals.
#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <vector>

#include "include/ctconv/ctconv_stream.hpp"

namespace {

ctconv::Op layer() {
  ctconv::Desc desc("torch.nn.ConvTranspose1d");
  desc.set("in_channels", 1).set("out_channels", 2).set("kernel_size", 3).set("stride", 2).set("bias", false);
  const std::vector<float> w = {1, 2, 4, -1, 0, 1};
  return ctconv::Op(desc, ctconv::view(w.data(), {1, 2, 3}));
}

// Appends what is known of channel c of y.
void keep(const std::vector<float>& y, std::int64_t room, std::int64_t count, std::vector<float>* both) {
  for (std::int64_t c = 0; c < 2; ++c) {
    for (std::int64_t o = 0; o < count; ++o) both[c].push_back(y[static_cast<std::size_t>(c * room + o)]);
  }
}

}  // namespace

TEST_CASE("stream in C++: portions, clone, flush", "[capi][stream][cpu]") {
  const ctconv::Op op = layer();
  std::vector<float> x(10), whole(2 * 21);
  std::iota(x.begin(), x.end(), 1.0f);
  op.execute(ctconv::view(x.data(), {1, 1, 10}), ctconv::view(whole.data(), {1, 2, 21}));

  ctconv::Stream stream(op);
  CHECK(stream.delay() == 0);
  std::vector<float> both[2], y(2 * 21);
  for (std::int64_t from : {0, 3, 4}) {
    const std::int64_t count = from == 0 ? 3 : from == 3 ? 1 : 6;
    const auto part = ctconv::view(x.data() + from, {1, 1, count});
    const std::int64_t coming = stream.coming(part);
    CHECK(stream.push(part, ctconv::view(y.data(), {1, 2, 21})) == coming);
    keep(y, 21, coming, both);
    if (from == 3) stream = stream.clone();
  }
  const std::int64_t left = stream.left();
  CHECK(stream.flush(ctconv::view(y.data(), {1, 2, 21})) == left);
  keep(y, 21, left, both);
  CHECK(both[0] == std::vector<float>(whole.begin(), whole.begin() + 21));
  CHECK(both[1] == std::vector<float>(whole.begin() + 21, whole.end()));
  CHECK(stream.left() == 0);  // as new
  CHECK(stream.describe().find("inputs: 0\noutputs: 0\ndelay: 0\nhistory: 1\n") == 0);
  stream.reset();
}

TEST_CASE("stream in C++: a refusal throws", "[capi][stream][cpu]") {
  const ctconv::Op op = layer();
  CHECK_THROWS_AS(ctconv::Stream(op, 0), ctconv::error);
  ctconv::Stream stream(op);
  std::vector<float> x(4), y(4);
  CHECK_THROWS_AS(stream.push(ctconv::view(x.data(), {1, 2, 2}), ctconv::view(y.data(), {1, 2, 2})), ctconv::error);
  CHECK_THROWS_AS(stream.push(ctconv::view(x.data(), {1, 1, 4}), ctconv::view(y.data(), {1, 2, 2})), ctconv::error);
}

TEST_CASE("region in C++: the window and the box", "[capi][region][cpu]") {
  const ctconv::Op op = layer();
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> whole(2 * 9), box(2 * 2);
  op.execute(ctconv::view(x.data(), {1, 1, 4}), ctconv::view(whole.data(), {1, 2, 9}));
  const std::int64_t begin = 4, end = 6, shape[] = {1, 1, 4};
  std::int64_t from = -1, to = -1;
  ctconv::CallExtras extras;
  extras.begin = &begin;
  extras.end = &end;
  op.region_window(ctconv::view(x.data(), {1, 1, 4}), extras, &from, &to);
  CHECK(from == 1);
  CHECK(to == 3);
  extras.x_begin = &from;
  extras.x_shape = shape;
  op.execute(ctconv::view(x.data() + from, {1, 1, to - from}), ctconv::view(box.data(), {1, 2, 2}), extras);
  CHECK(box == std::vector<float>{whole[4], whole[5], whole[13], whole[14]});
}
