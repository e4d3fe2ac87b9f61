// SPDX-License-Identifier: Apache-2.0
// The native engine with one of its forms forced, each as an engine of its own.
#pragma once

#include "src/engine/native/native.h"

namespace ctconv::native_test {

using Planned = Result<std::unique_ptr<Kernel>>;

inline Planned plan_positions(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "positions"); }
inline Planned plan_channels(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "channels"); }
inline Planned plan_merged(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "merged"); }
inline Planned plan_depthwise(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "depthwise"); }
inline Planned plan_rows(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "rows"); }
inline Planned plan_turned(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "turned"); }
inline Planned plan_raw(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "raw"); }
inline Planned plan_taps(const Problem& p, const PlanContext& c) { return native::plan_form(p, c, "taps"); }

inline const Engine kPositions{"positions", Bits::kReference, kForwardFloats, &plan_positions};
inline const Engine kChannels{"channels", Bits::kReference, kEveryFloat, &plan_channels};
inline const Engine kMerged{"merged", Bits::kReference, kForwardFloats, &plan_merged};
inline const Engine kDepthwise{"depthwise", Bits::kReference, kEveryFloat, &plan_depthwise};
inline const Engine kRows{"rows of y", Bits::kReference, kForwardFloats, &plan_rows};
inline const Engine kTurned{"turned", Bits::kReference, kEveryFloat, &plan_turned};
inline const Engine kRaw{"raw", Bits::kReference, kEveryFloat, &plan_raw};
inline const Engine kTaps{"taps", Bits::kReference, kForwardFloats, &plan_taps};

}  // namespace ctconv::native_test
