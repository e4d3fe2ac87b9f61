// SPDX-License-Identifier: Apache-2.0
// How the dialects of one family write a geometry: one row of data a family, and the spellings of each argument.
//
//   in:  a dialect's name;   out: its row: the longest prefix that fits, the first row where none does
//   A new dialect that writes as another does needs no row. Nothing else here knows a dialect by name.
#pragma once

#include <initializer_list>
#include <string>

namespace cli {

struct Family {
  const char* prefix;
  enum Pads {
    kOneNumber,       // one number per axis, for both sides
    kPairs,           // begin, end per axis; a rank of 1 with equal sides: one number
    kBeginsThenEnds,  // all begins, then all ends
    kTwoArguments,    // pad_begin and pad_end
    kWordsOnly,       // no numbers
  } pads;
  const char* mode_argument = "";  // what takes the words below; "": none does
  const char* same = nullptr;      // nullptr: there is no such word
  const char* valid = nullptr;
  const char* numbers = nullptr;  // the word that goes with numbers
  bool int_for_all = true;        // an int stands for all axes
  bool channels_last = false;     // x by default
  bool weight_with_call = false;  // its shape does not follow from the arguments
};

const Family& family_of(const std::string& dialect);

// What one thing is called, in any dialect.
using Spellings = std::initializer_list<const char*>;
inline constexpr Spellings kInChannels = {"in_channels", "in_channel"};
inline constexpr Spellings kOutChannels = {"out_channels", "out_channel", "num_filters", "filters"};
inline constexpr Spellings kGroups = {"groups", "group"};
inline constexpr Spellings kKernel = {"kernel_size", "filter_size", "kernel_shape"};
inline constexpr Spellings kStride = {"stride", "strides"};
inline constexpr Spellings kDilation = {"dilation", "dilations", "dilation_rate"};
inline constexpr Spellings kPadding = {"padding", "pad", "pads"};

}  // namespace cli
