// SPDX-License-Identifier: Apache-2.0
// libctconv_xla.so called by call frames made here: y and gradients, axes of vmap, refusals, the version it answers.
#include <ctconv/ctconv.h>

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "bindings/xla/ffi_api.h"

extern "C" ctconv_xla::Error* ctconv_xla_call(ctconv_xla::CallFrame* frame);

namespace ctconv_xla {
struct Error {
  int code;
  std::string text;
};
}  // namespace ctconv_xla

namespace {

using namespace ctconv_xla;
using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

Error* error_create(ErrorCreateArgs* args) { return new Error{args->errc, args->message}; }

struct Held {
  Floats data;
  Ints dims;
};

Held numbers(Ints dims, int a, int b, int m, int c) {
  size_t count = 1;
  for (const int64_t extent : dims) count *= static_cast<size_t>(extent);
  Held out{Floats(count), std::move(dims)};
  for (size_t i = 0; i < count; ++i) out.data[i] = static_cast<float>((static_cast<int>(i) * a + b) % m - c);
  return out;
}

Held x_of(Ints dims) { return numbers(std::move(dims), 7, 3, 13, 6); }
Held w_of(Ints dims) { return numbers(std::move(dims), 5, 1, 11, 5); }

// A call frame and all it points at.
struct Call {
  std::map<std::string, std::variant<int64_t, bool, std::string, Ints>> attributes = {
      {"dialect", std::string("torch.nn.ConvTranspose2d")},
      {"engine", std::string()},
      {"threads", int64_t{1}},
      {"reproducible", int64_t{1}},
      {"batched", true},
      {"x_shape", Ints{2, 3, 4, 5}},
      {"arg_in_channels", int64_t{3}},
      {"arg_out_channels", int64_t{2}},
      {"arg_kernel_size", Ints{3, 2}},
      {"arg_stride", Ints{2, 1}},
      {"arg_bias", false},
  };
  int dtype = kF32;
  Api api = {sizeof(Api), nullptr, {sizeof(ApiVersion), nullptr, 0, 3}, nullptr, &error_create};

  // The refusal's code and text; {0, ""} on success.
  std::pair<int, std::string> run(const std::string& what, std::vector<Held> in, Held* out, Ints ranks) {
    attributes["run"] = what;
    attributes["ranks"] = std::move(ranks);
    CallFrame frame = {};
    frame.struct_size = sizeof frame;
    frame.api = &api;
    frame.stage = 3;
    std::deque<Buffer> buffers;
    std::vector<Buffer*> args;
    const auto add = [&](Held& one) {
      buffers.push_back(
          {sizeof(Buffer), nullptr, dtype, one.data.data(), static_cast<int64_t>(one.dims.size()), one.dims.data()});
      return &buffers.back();
    };
    for (Held& one : in) args.push_back(add(one));
    Buffer* result = add(*out);
    frame.args = {sizeof(Buffers), nullptr, static_cast<int64_t>(args.size()), nullptr, args.data()};
    frame.rets = {sizeof(Buffers), nullptr, 1, nullptr, &result};
    return with_attributes(&frame);
  }

  std::pair<int, std::string> with_attributes(CallFrame* frame) {
    std::deque<Scalar> scalars;
    std::deque<Array> arrays;
    std::deque<Text> texts;
    std::vector<int> types;
    std::vector<Text*> names;
    std::vector<void*> values;
    for (auto& [name, value] : attributes) {
      names.push_back(&texts.emplace_back(Text{name.data(), name.size()}));
      if (auto* whole = std::get_if<int64_t>(&value)) {
        types.push_back(kScalar);
        values.push_back(&scalars.emplace_back(Scalar{kS64, whole}));
      } else if (auto* truth = std::get_if<bool>(&value)) {
        types.push_back(kScalar);
        values.push_back(&scalars.emplace_back(Scalar{kPred, truth}));
      } else if (auto* text = std::get_if<std::string>(&value)) {
        types.push_back(kString);
        values.push_back(&texts.emplace_back(Text{text->data(), text->size()}));
      } else {
        auto& all = std::get<Ints>(value);
        types.push_back(kArray);
        values.push_back(&arrays.emplace_back(Array{kS64, all.size(), all.data()}));
      }
    }
    frame->attrs = {sizeof(Attributes), nullptr,      static_cast<int64_t>(types.size()),
                    types.data(),       names.data(), values.data()};
    Error* error = ctconv_xla_call(frame);
    if (error == nullptr) return {0, ""};
    std::pair<int, std::string> said = {error->code, error->text};
    delete error;
    return said;
  }
};

Held empty(Ints dims) { return numbers(std::move(dims), 0, 99, 100, 0); }

// A part of the leading axis.
Held part(const Held& one, int64_t at) {
  const auto size = static_cast<std::ptrdiff_t>(one.data.size()) / one.dims[0];
  return {Floats(one.data.begin() + at * size, one.data.begin() + (at + 1) * size),
          Ints(one.dims.begin() + 1, one.dims.end())};
}

double dot(const Floats& a, const Floats& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

const Ints kX = {2, 3, 4, 5}, kW = {3, 2, 3, 2}, kY = {2, 2, 9, 6};

}  // namespace

TEST_CASE("xla: y, and the gradients as its adjoints", "[xla]") {
  Call call;
  const Held x = x_of(kX), w = w_of(kW), dy = numbers(kY, 11, 4, 9, 4);
  Held y = empty(kY), dx = empty(kX), dw = empty(kW), db = empty({2});
  REQUIRE(call.run("y", {x, w}, &y, {4, 4, 4}).second.empty());
  REQUIRE(call.run("dx", {dy, w}, &dx, {4, 4, 4}).second.empty());
  REQUIRE(call.run("dw", {x, dy}, &dw, {4, 4, 4}).second.empty());
  // y[0, 0, 0, 0] has one tap: the first of each input channel.
  CHECK(y.data[0] == x.data[0] * w.data[0] + x.data[20] * w.data[12] + x.data[40] * w.data[24]);
  CHECK(dot(dy.data, y.data) == dot(dx.data, x.data));
  CHECK(dot(dy.data, y.data) == dot(dw.data, w.data));
  call.attributes["arg_bias"] = true;
  REQUIRE(call.run("db", {dy}, &db, {4, 1}).second.empty());
  float sum = 0;
  for (size_t i = 0; i < 54; ++i) sum += dy.data[i] + dy.data[108 + i];
  CHECK(db.data[0] == sum);
  Held with = empty(kY);
  REQUIRE(call.run("y", {x, w, {{1, 2}, {2}}}, &with, {4, 4, 1, 4}).second.empty());
  CHECK(with.data[0] == y.data[0] + 1);
  CHECK(with.data[54] == y.data[54] + 2);
}

TEST_CASE("xla: axes of vmap give what single calls give", "[xla]") {
  for (const bool batched : {true, false}) {
    for (const int mapped : {1, 2, 3}) {  // bit 0: x, bit 1: w
      Call call;
      call.attributes["batched"] = batched;
      const Ints lead = {3}, none = {1};
      const auto dims = [](const Ints& front, const Ints& rest) {
        Ints out = front;
        out.insert(out.end(), rest.begin(), rest.end());
        return out;
      };
      const Ints rest_x = batched ? kX : Ints{3, 4, 5}, rest_y = batched ? kY : Ints{2, 9, 6};
      const auto rank = static_cast<int64_t>(rest_x.size());
      const Held x = x_of(dims((mapped & 1) != 0 ? lead : none, rest_x));
      const Held w = w_of(dims((mapped & 2) != 0 ? lead : none, kW));
      Held y = empty(dims(lead, rest_y));
      REQUIRE(call.run("y", {x, w}, &y, {rank, 4, rank}).second.empty());
      for (int64_t i = 0; i < 3; ++i) {
        Held one = empty(rest_y);
        const auto pick = [&](const Held& all) { return part(all, all.dims[0] == 3 ? i : 0); };
        REQUIRE(call.run("y", {pick(x), pick(w)}, &one, {rank, 4, rank}).second.empty());
        CHECK(one.data == part(y, i).data);
      }
    }
  }
}

TEST_CASE("xla: refusals have a code and the library's words", "[xla]") {
  Held y = empty(kY);
  Call stride;
  stride.attributes["arg_stride"] = Ints{0, 1};
  const auto said = stride.run("y", {x_of(kX), w_of(kW)}, &y, {4, 4, 4});
  CHECK(said.first == kInvalidArgument);
  CHECK(said.second.find("ctconv: CTCONV_ERR_VALUE_STRIDE: stride") == 0);
  Call channels;
  CHECK(channels.run("y", {x_of({2, 2, 4, 5}), w_of(kW)}, &y, {4, 4, 4}).first == kInvalidArgument);
  Call type;
  type.dtype = kS32;
  CHECK(type.run("y", {x_of(kX), w_of(kW)}, &y, {4, 4, 4}).second.find("float16, bfloat16") != std::string::npos);
  Call engine;
  engine.attributes["engine"] = std::string("none");
  CHECK(engine.run("y", {x_of(kX), w_of(kW)}, &y, {4, 4, 4}).second.find("MISUSE_ENGINE") != std::string::npos);
  Call count;
  CHECK(count.run("y", {x_of(kX), w_of(kW)}, &y, {4, 4}).first == kInternal);
  Call absent;
  absent.attributes.erase("dialect");
  CHECK(absent.run("y", {x_of(kX), w_of(kW)}, &y, {4, 4, 4}).second == "ctconv: the call has no attribute dialect");
}

TEST_CASE("xla: the handler answers the version it is asked with, up to its own", "[xla]") {
  for (const int asked : {1, 2, 3, 9}) {
    Call call;
    call.api.api_version.minor_version = asked;
    Metadata metadata = {};
    MetadataExtension extension = {{sizeof(Extension), kMetadata, nullptr}, &metadata};
    CallFrame frame = {};
    frame.api = &call.api;
    frame.extension_start = &extension.base;
    CHECK(ctconv_xla_call(&frame) == nullptr);
    CHECK(metadata.api_version.major_version == 0);
    CHECK(metadata.api_version.minor_version == std::min(asked, 3));
  }
}
