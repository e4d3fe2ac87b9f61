// SPDX-License-Identifier: Apache-2.0
// How the form "positions" is cut into tasks, and what it is expected to cost.
//
//   in:  what positions_plan.cpp made of the problem
//   out: tiles of bands, and how they read x; seconds of a call
#pragma once

#include <vector>

#include "src/engine/native/positions.h"

namespace ctconv::native::positions {

template <class T>
Tiles tiles_of(const Given<T>& given, const Planes& planes, const std::vector<TapList>& lists, const Units& units,
               const Slabs& slabs, const Bands& bands, bool in_place);
template <class T>
double seconds_of(const Plan<T>& plan);

}  // namespace ctconv::native::positions
