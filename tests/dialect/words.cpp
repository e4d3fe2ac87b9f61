// SPDX-License-Identifier: Apache-2.0
// See words.h.
#include "tests/dialect/words.h"

#include <cstdio>
#include <type_traits>

namespace ctconv::test {
namespace {

std::string name_of(Code code) { return std::string(status_name(static_cast<int32_t>(code))).substr(11); }

std::string text(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.17g", value);
  return out;
}
std::string text(bool value) { return value ? "1" : "0"; }
std::string text(const std::string& value) { return value; }
template <class Int>
requires std::is_integral_v<Int> std::string text(Int value) { return std::to_string(value); }

template <class T>
std::string list(const std::vector<T>& values) {
  std::string out;
  for (const T& value : values) out += (out.empty() ? "" : " ") + text(value);
  return out;
}

std::string list(const std::vector<ElementType>& types) {
  std::string out;
  for (ElementType type : types) out += (out.empty() ? "" : " ") + ctconv::name_of(type);
  return out;
}

std::string list(const std::vector<Check>& checks) {
  std::string out;
  for (Check check : checks) out += (out.empty() ? "" : " ") + text(static_cast<int>(check));
  return out;
}

std::string words(const Initialiser& i) {
  std::string out = "kind " + text(int{i.kind}) + " a " + text(i.a) + " b " + text(i.b);
  out += " lo " + text(i.lo) + " hi " + text(i.hi) + " fan " + text(int{i.fan}) + " scale " + text(i.scale);
  if (i.needs_axes) out += " axes";
  if (i.kind != Initialiser::kTensor) return out;
  return out + " (" + list(i.shape) + ") " + (i.values.size() > 8 ? text(i.values.size()) + " values" : list(i.values));
}

std::string words(const Activation& a) { return text(int{a.kind}) + " " + text(a.alpha) + " " + text(a.beta); }

void add_sizes(const Descriptor& d, Fields* out) {
  out->insert(out->end(), {{"rank", text(d.rank)},
                           {"in", text(d.in_channels)},
                           {"out", text(d.out_channels)},
                           {"groups", text(d.groups)},
                           {"kernel", list(d.kernel)},
                           {"stride", list(d.stride)},
                           {"dilation", list(d.dilation)},
                           {"begin", list(d.pad_begin)},
                           {"end", list(d.pad_end)},
                           {"extra", list(d.output_padding)},
                           {"tail", list(d.zero_tail)},
                           {"empty", list(d.without_entries)},
                           {"size", list(d.output_size)}});
}

void add_rules(const Descriptor& d, Fields* out) {
  out->insert(out->end(), {{"kernel_source", text(static_cast<int>(d.kernel_source))},
                           {"pad_rule", text(static_cast<int>(d.pad_rule))},
                           {"size_rule", text(static_cast<int>(d.output_size_rule))},
                           {"size_in_call", text(d.output_size_in_call)},
                           {"size_takes_int", text(d.output_size_takes_int)},
                           {"size_excludes_padding", text(d.output_size_excludes_padding)},
                           {"size_leading", text(d.output_size_leading)},
                           {"auto_pads", text(d.auto_pads)},
                           {"limit", text(static_cast<int>(d.output_padding_limit))},
                           {"least_core", text(d.least_core)},
                           {"last", text(d.channels_last)},
                           {"unbatched", text(d.unbatched)},
                           {"weight_order", text(static_cast<int>(d.weight_order))},
                           {"bias_order", text(static_cast<int>(d.bias_order))},
                           {"bias_allowed", text(d.bias_allowed)},
                           {"bias_expected", text(d.bias_expected)},
                           {"types", list(d.types)},
                           {"on_cuda", list(d.types_on_cuda)},
                           {"fixed_type", d.fixed_type ? ctconv::name_of(d.type) : ""},
                           {"activation", words(d.activation)},
                           {"weight_init", words(d.weight_init)},
                           {"bias_init", words(d.bias_init)},
                           {"bias_fans", text(d.bias_fans_are_its_own)},
                           {"order", list(d.order)}});
}

void add_words(const Descriptor& d, Fields* out) {
  const Spelling& s = d.spelling;
  out->insert(out->end(), {{"codes", name_of(d.codes.input_rank) + " " + name_of(d.codes.weight_rank) + " " +
                                         name_of(d.codes.input_channels) + " " + name_of(d.codes.weight_shape)},
                           {"x", s.x},
                           {"w", s.w},
                           {"b", s.b},
                           {"in_channels", s.in_channels},
                           {"out_channels", s.out_channels},
                           {"groups", s.groups},
                           {"kernel_size", s.kernel_size},
                           {"stride", s.stride},
                           {"dilation", s.dilation},
                           {"padding", s.padding},
                           {"output_padding", s.output_padding},
                           {"output_size", s.output_size}});
}

}  // namespace

Fields fields_of(const Descriptor& d) {
  Fields out = {{"dialect", d.dialect}};
  add_sizes(d, &out);
  add_rules(d, &out);
  add_words(d, &out);
  return out;
}

std::string difference(const Fields& before, const Fields& now) {
  std::string out;
  for (size_t n = 0; n < now.size(); ++n) {
    if (now[n].second == before[n].second) continue;
    out += (out.empty() ? "" : "; ") + now[n].first + "=" + now[n].second;
  }
  return out;
}

std::string told(const Status& status) {
  if (status.ok()) return "OK";
  const Status::Detail& d = status.detail();
  const std::string element = d.element < 0 ? "" : "[" + text(d.element) + "]";
  return name_of(d.code) + " " + d.argument + element + "; legal: " + d.range;
}

}  // namespace ctconv::test
