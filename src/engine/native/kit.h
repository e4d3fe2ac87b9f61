// SPDX-License-Identifier: Apache-2.0
// The names of src/kit that the forms of this engine use without a prefix.
#pragma once

#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/kit/arena.h"
#include "src/kit/moves.h"
#include "src/kit/phases.h"
#include "src/kit/planes.h"
#include "src/kit/row_store.h"

namespace ctconv::native {

using kit::Arena;
using kit::AxisPhases;
using kit::bytes_of;
using kit::bytes_taken;
using kit::Grid;
using kit::kMaxLanes;
using kit::Moves;
using kit::Phase;
using kit::PlanePart;
using kit::Planes;
using kit::RowPart;
using kit::RowStore;
using kit::Stretch;

}  // namespace ctconv::native
