// SPDX-License-Identifier: Apache-2.0
// What a plan may hold: bounds of every product of counts that becomes an allocation, an int32 or a planning loop.
//
//   Shapes alone can be asked for (ctconv_prepare without a weight), and legal sizes reach 2^60. No layer comes near
//   these bounds; what is beyond them is left to the reference, which plans without tables.
#pragma once

#include <cstdint>

namespace ctconv::native {

// Of a problem, for every form.
inline constexpr int64_t kMostStep = (int64_t{1} << 31) - 1;  // extent, stride, dilation, reach of a kernel
inline constexpr int64_t kMostPhases = int64_t{1} << 17;      // all axes together; an axis keeps 56 bytes for each
inline constexpr int64_t kMostTaps = int64_t{1} << 22;        // two int64 for each
inline constexpr int64_t kMostChannels = int64_t{1} << 24;    // groups * channels: the bias is widened for each
inline constexpr double kMostElements = 0x1p48;               // of x, y, weight and padded x: all counts fit int64
inline constexpr double kMostPadded = 0x1p42;                 // of one image of padded x
inline constexpr double kMostPlace = 0x1p60;  // elements from a tensor's first to where a row would lie, taken as real

// Of a form.
inline constexpr int64_t kMostRows = int64_t{1} << 20;        // channels * phases, about 40 bytes for each
inline constexpr int64_t kMostStretches = int64_t{1} << 18;   // of the phases of an axis, 32 bytes for each
inline constexpr int64_t kMostRawDepth = int64_t{1} << 18;    // channels * taps, 16 bytes for each
inline constexpr int64_t kMostRawPositions = 4096;            // of all images
inline constexpr int64_t kMostRawRuns = int64_t{1} << 18;     // taps * rows of positions, 24 bytes for each
inline constexpr int64_t kMostTapsRows = int64_t{1} << 16;    // rows of x of a group, 16 bytes for each and thread
inline constexpr int64_t kMostTapsInputs = int64_t{1} << 22;  // of x
inline constexpr double kMostSteps = 0x1p24;                  // of a planning loop

}  // namespace ctconv::native
