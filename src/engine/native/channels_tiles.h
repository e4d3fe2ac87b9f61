// SPDX-License-Identifier: Apache-2.0
// How the form "channels" is cut into tasks, and what it is expected to cost.
//
//   in:  what channels_plan.cpp made of the problem
//   out: tiles of positions; seconds of a call
#pragma once

#include <vector>

#include "src/engine/native/channels.h"

namespace ctconv::native::channels {

template <class T>
Tiles tiles_of(const Given<T>& given, const Lanes& lanes, const Source& source, const Triples& triples,
               const std::vector<Block>& blocks);
// The panel of the largest tile.
template <class T>
void lay_panel(const Given<T>& given, const Tiles& tiles, Source* source);
template <class T>
double seconds_of(const Plan<T>& plan);

}  // namespace ctconv::native::channels
