// SPDX-License-Identifier: Apache-2.0
// Sequences of every length, 0 to 2 * rank + 2, for every argument that has one entry per axis, in every dialect.
//
//   OK only where the length is one the dialect takes; else a TypeError or ValueError that names the argument.
//   (Not the canonical dialect's kernel_size: its length is the rank.)
//   Legal calls around the argument: the bases of tests/data/raises_cases.json.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "tests/dialect/case.h"

using namespace ctconv::test;

namespace {

enum class Lengths { kRank, kRankOrOne, kTwice, kRankOrTwice, kRankOrAll };

struct Row {
  const char* dialect;  // the beginning of its name
  const char* argument;
  int64_t entry;  // 0 with kRankOrAll and in `sizes`: extents of the output
  Lengths lengths;
  bool list = true;  // a list is taken, not only a tuple
  bool in_call = false;
};

constexpr Row kRows[] = {
    {"torch.", "kernel_size", 3, Lengths::kRank},
    {"torch.", "stride", 1, Lengths::kRankOrOne},
    {"torch.", "padding", 1, Lengths::kRankOrOne},
    {"torch.", "output_padding", 0, Lengths::kRankOrOne},
    {"torch.", "dilation", 1, Lengths::kRankOrOne},
    {"torch.", "output_size", 0, Lengths::kRankOrAll, true, true},
    {"keras.", "kernel_size", 3, Lengths::kRank},
    {"keras.", "strides", 1, Lengths::kRank},
    {"keras.", "dilation_rate", 1, Lengths::kRank},
    {"keras.", "output_padding", 0, Lengths::kRank},
    {"megengine.", "kernel_size", 3, Lengths::kRank},
    {"megengine.", "stride", 1, Lengths::kRank},
    {"megengine.", "padding", 1, Lengths::kRank},
    {"megengine.", "output_padding", 0, Lengths::kRank},
    {"megengine.", "dilation", 1, Lengths::kRank},
    {"paddle.nn.Conv", "kernel_size", 3, Lengths::kRank},
    {"paddle.static", "filter_size", 3, Lengths::kRank},
    {"paddle.", "stride", 1, Lengths::kRank},
    {"paddle.", "padding", 1, Lengths::kRankOrTwice},
    {"paddle.nn.", "output_padding", 0, Lengths::kRank},
    {"paddle.", "dilation", 1, Lengths::kRank},
    {"paddle.nn.Conv", "output_size", 0, Lengths::kRank, true, true},
    {"paddle.nn.functional", "output_size", 0, Lengths::kRank},
    {"paddle.static", "output_size", 0, Lengths::kRank},
    {"mindspore.ops.Conv3D", "kernel_size", 3, Lengths::kRank, false},
    {"mindspore.ops.Conv3D", "stride", 1, Lengths::kRank, false},
    {"mindspore.ops.Conv3D", "dilation", 1, Lengths::kRank, false},
    {"mindspore.ops.Conv3D", "pad", 1, Lengths::kTwice, false},
    {"mindspore.ops.Conv3D", "output_padding", 0, Lengths::kRank, false},
    {"mindspore.nn.Conv2d", "kernel_size", 3, Lengths::kRank, false},
    {"mindspore.nn.Conv2d", "stride", 1, Lengths::kRank, false},
    {"mindspore.nn.Conv2d", "dilation", 1, Lengths::kRank, false},
    {"mindspore.nn.Conv2d", "padding", 1, Lengths::kTwice, false},
    {"mindspore.nn.Conv2d", "output_padding", 0, Lengths::kRank, false},
    {"mindspore.nn.Conv3d", "kernel_size", 3, Lengths::kRank, false},
    {"mindspore.nn.Conv3d", "stride", 1, Lengths::kRank, false},
    {"mindspore.nn.Conv3d", "dilation", 1, Lengths::kRank, false},
    {"mindspore.nn.Conv3d", "padding", 1, Lengths::kTwice, false},
    {"mindspore.nn.Conv3d", "output_padding", 0, Lengths::kRank, false},
    {"onnx.", "kernel_shape", 3, Lengths::kRank},
    {"onnx.", "strides", 1, Lengths::kRank},
    {"onnx.", "dilations", 1, Lengths::kRank},
    {"onnx.", "pads", 1, Lengths::kTwice},
    {"onnx.", "output_padding", 0, Lengths::kRank},
    {"onnx.", "output_shape", 0, Lengths::kRank},
    {"ctconv", "stride", 1, Lengths::kRank},
    {"ctconv", "dilation", 1, Lengths::kRank},
    {"ctconv", "pad_begin", 1, Lengths::kRank},
    {"ctconv", "pad_end", 1, Lengths::kRank},
    {"ctconv", "output_padding", 0, Lengths::kRank},
    {"ctconv", "zero_tail", 1, Lengths::kRank},
};

bool is_size(const Row& row) {
  const std::string name = row.argument;
  return name == "output_size" || name == "output_shape";
}

bool taken(Lengths lengths, size_t n, size_t rank) {
  switch (lengths) {
    case Lengths::kRank:
      return n == rank;
    case Lengths::kRankOrOne:
      return n == rank || n == 1;
    case Lengths::kTwice:
      return n == 2 * rank;
    case Lengths::kRankOrTwice:
      return n == rank || n == 2 * rank;
    case Lengths::kRankOrAll:
      return n == rank || n == rank + 2;
  }
  return false;
}

// n entries; sizes: the last ones are the output's extents, those before them its batch and channels, as users write
// it.
Json sequence(const Row& row, const Shape& input, size_t n, bool list) {
  const size_t rank = input.size() - 2;
  Json items = Json::array();
  for (size_t at = 0; at < n; ++at) {
    const size_t from_end = n - at;
    const bool spatial = from_end <= rank;
    // Kernel 3, stride 1, no padding: each extent grows by 2.
    items.push_back(!is_size(row)          ? row.entry
                    : spatial              ? input[input.size() - from_end] + 2
                    : from_end == rank + 1 ? 6
                                           : 1);
  }
  if (list) return Json{{"$list", items}};
  return items;
}

void judge(const Row& row, const std::string& dialect, const Json& base, size_t n, bool list) {
  Case c{.dialect = dialect, .args = base["args"], .input_shape = {}, .call = base.value("call", Json::object())};
  for (const auto& extent : base["input_shape"]) c.input_shape.push_back(extent.get<int64_t>());
  const size_t rank = c.input_shape.size() - 2;
  const std::string name = row.argument;
  if (dialect.rfind("mindspore.", 0) == 0 && (name == "pad" || name == "padding" || name == "output_padding")) {
    c.args["pad_mode"] = "pad";
  }
  (row.in_call ? c.call : c.args)[name] = sequence(row, c.input_shape, n, list);
  const Outcome got = run(c);
  INFO(dialect << " " << name << (list ? " list of " : " tuple of ") << n << ": " << name_of(got.status) << " at "
               << got.step << ": " << got.error.message);
  const bool legal = taken(row.lengths, n, rank) && (!list || row.list);
  CHECK((got.status == CTCONV_OK) == legal);
  if (got.status == CTCONV_OK) return;
  CHECK((got.status / 1000 == 1 || got.status / 1000 == 2));
  CHECK(got.error.argument == name);
}

}  // namespace

TEST_CASE("lengths: an argument with one entry per axis takes no other number of them", "[lengths]") {
  const Json bases = read_json("raises_cases.json")["bases"];
  for (const Row& row : kRows) {
    int dialects = 0;
    for (const auto& [dialect, base] : bases.items()) {
      if (dialect.rfind(row.dialect, 0) != 0) continue;
      ++dialects;
      const size_t rank = base["input_shape"].size() - 2;
      for (size_t n = 0; n <= 2 * rank + 2; ++n) {
        judge(row, dialect, base, n, false);
        judge(row, dialect, base, n, true);
      }
    }
    CHECK(dialects > 0);
  }
}
