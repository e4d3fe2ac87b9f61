// The names of src/kit that the forms of this engine use without a prefix.
#pragma once

#include "src/kit/moves.h"
#include "src/kit/pack.h"
#include "src/kit/phases.h"
#include "src/kit/planes.h"
#include "src/kit/row_store.h"

namespace ctconv::native {

using kit::AxisPhases;
using kit::kMaxLanes;
using kit::Moves;
using kit::Phase;
using kit::PlaneGrid;
using kit::RowPart;
using kit::RowStore;
using kit::Stretch;

}  // namespace ctconv::native
