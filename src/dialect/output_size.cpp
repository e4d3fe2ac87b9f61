// SPDX-License-Identifier: Apache-2.0
// The call's output_size, by the descriptor's rules: kinds, bools, lengths. The window is judged where x is known.
//
//   in:  the Value as given, axes of x
//   out: one size per axis, or the fault to deliver at its place in the dialect's order
//   torch:   a sequence of rank entries, or with the leading batch and channel entries, which are ignored;
//            an int is a TypeError
//   paddle:  an int for all axes, or a sequence of rank entries; another type is a ValueError, a bool or a non-int
//            entry a TypeError
#include "src/dialect/dialect.h"

namespace ctconv {

RequestedSize read_output_size(const Descriptor& desc, const Value& value, int x_ndim) {
  RequestedSize out;
  if (value.is_none()) return out;
  out.given = true;
  const std::string& name = desc.spelling.output_size;
  if (desc.output_size_excludes_padding) {
    out.fault = argument_error(Code::VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING, name, value.show(),
                               "None, or " + desc.spelling.output_padding + " 0",
                               "was given although " + desc.spelling.output_padding + " is not 0");
    return out;
  }
  const size_t rank = static_cast<size_t>(desc.rank);
  const size_t leading = desc.output_size_leading ? (x_ndim == desc.rank + 1 ? 1 : 2) : 0;
  const auto legal = [&] {  // only a fault needs words: a legal call takes no memory
    std::string s = "a tuple or list of " + std::to_string(rank) + " ints";
    if (leading) s += " (or " + std::to_string(rank + leading) + " with the leading axes)";
    return desc.output_size_takes_int ? "an int or " + s : s;
  };

  if (value.tag == Value::kInt && desc.output_size_takes_int) {
    out.sizes.fill(value.i);
    return out;
  }
  if (!value.is_sequence()) {
    const bool value_error = desc.output_size_takes_int && value.tag != Value::kBool;
    out.fault = argument_error(value_error ? Code::VALUE_OUTPUT_SIZE_TYPE : Code::TYPE_OUTPUT_SIZE, name, value.show(),
                               legal(), "is " + value.type_name());
    return out;
  }
  const auto length = [&]() -> Status {
    const size_t count = value.items.size();
    if (count == rank || (leading && count == rank + leading)) return {};
    return argument_error(Code::VALUE_OUTPUT_SIZE_LENGTH, name, value.show(), legal(),
                          "has " + std::to_string(count) + " entries");
  };
  const auto entries = [&]() -> Status {
    for (size_t n = 0; n < value.items.size(); ++n) {
      if (value.items[n].tag == Value::kInt) continue;
      return argument_error(Code::TYPE_OUTPUT_SIZE, name, value.items[n].show(), "an int (a bool is not an int)",
                            "entry is " + value.items[n].type_name(), static_cast<int32_t>(n));
    }
    return {};
  };
  // torch asks for types first, paddle for the length: a wrong entry is a TypeError only inside a sequence of the right
  // length.
  out.fault = desc.output_size_takes_int ? length() : entries();
  if (out.fault.ok()) out.fault = desc.output_size_takes_int ? entries() : length();
  if (!out.fault.ok()) return out;
  const size_t count = value.items.size();
  for (size_t n = 0; n < rank; ++n) out.sizes[n] = value.items[count - rank + n].i;
  return out;
}

}  // namespace ctconv
