// SPDX-License-Identifier: Apache-2.0
// Every member is looked at here, so that the sentence of a refusal is ours and names the layer.
#include "tools/cli/layers_file.h"

#include <fmt/format.h>

#include "tools/cli/fault.h"
#include "tools/cli/input.h"
#include "tools/cli/json_args.h"
#include "tools/cli/output.h"

namespace cli {
namespace {

// One layer of the file, with its place in it for refusals.
class Entry {
 public:
  Entry(const std::string& file, size_t number, const Json& layer) : layer_(layer) {
    place_ = fmt::format("{}: layer {}", file, number);
    if (!layer.is_object()) refuse("an object is expected");
    place_ += " '" + text("id", nullptr) + "'";
  }

  std::string text(const char* name, const char* fallback) const {
    if (fallback != nullptr && !layer_.contains(name)) return fallback;
    const Json& v = member(name);
    if (!v.is_string()) refuse(name, "a string");
    return v.get<std::string>();
  }
  int64_t whole(const char* name) const { return whole(name, member(name)); }
  std::vector<int64_t> sizes(const char* name) const {
    const Json& v = member(name);
    if (!v.is_array()) refuse(name, "a list of whole numbers, one for each axis");
    std::vector<int64_t> out;
    for (const Json& item : v) out.push_back(whole(name, item));
    return out;
  }
  bool flag(const char* name) const {
    const Json& v = member(name);
    if (!v.is_boolean()) refuse(name, "true or false");
    return v.get<bool>();
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { throw Fault("JSON", place_ + ": " + why); }
  [[noreturn]] void refuse(const char* name, const char* wanted) const {
    refuse(fmt::format("'{}' must be {}", name, wanted));
  }
  const Json& member(const char* name) const {
    const auto found = layer_.find(name);
    if (found == layer_.end()) refuse(fmt::format("'{}' is missing", name));
    return *found;
  }
  int64_t whole(const char* name, const Json& v) const {
    const bool fits = v.is_number_unsigned() ? v.get<uint64_t>() <= INT64_MAX : v.is_number_integer();
    if (!fits) refuse(name, "whole numbers below 2^63");
    return v.get<int64_t>();
  }

  const Json& layer_;
  std::string place_;
};

Request request_of(const Request& base, const Entry& layer) {
  Request r = base;
  const Json arguments = {{"in_channels", layer.whole("cin")},   {"out_channels", layer.whole("cout")},
                          {"groups", layer.whole("g")},          {"kernel_size", layer.sizes("k")},
                          {"stride", layer.sizes("s")},          {"dilation", layer.sizes("d")},
                          {"pad_begin", layer.sizes("p_begin")}, {"pad_end", layer.sizes("p_end")},
                          {"output_padding", layer.sizes("op")}, {"bias", layer.flag("bias")}};
  r.dialect = "ctconv";
  r.arguments = arguments.dump();
  r.x = fmt::format("{},{}", layer.whole("n"), layer.whole("cin"));
  for (const int64_t extent : layer.sizes("in")) r.x += fmt::format(",{}", extent);
  r.x += ":" + layer.text("dtype", "f32");
  r.activation = layer.text("activation", "none");
  return r;
}

}  // namespace

std::vector<NamedRequest> read_layers(const Request& base) {
  const std::string file = input_name(base.layers);
  const std::string text = read_text(base.layers);
  Json layers;
  try {
    layers = Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw Fault("JSON", file + ": " + syntax_error(e.byte, e.what()));
  } catch (const Json::out_of_range& e) {  // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
    const std::string what = e.what();
    throw Fault("JSON", file + ": " + what.substr(what.find("] ") + 2));
  }
  if (!layers.is_array()) throw Fault("JSON", file + ": an array of layers is expected");
  std::vector<NamedRequest> out;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Entry entry(file, i + 1, layers[i]);
    const std::string id = entry.text("id", nullptr);
    if (id.rfind(base.only, 0) == 0) out.push_back({id, request_of(base, entry)});
  }
  if (out.empty()) throw Fault("OPTION", "no layer of " + file + " begins with '" + base.only + "'");
  return out;
}

}  // namespace cli
