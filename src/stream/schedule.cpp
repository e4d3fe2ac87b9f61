// SPDX-License-Identifier: Apache-2.0
// Delay, history and warm-up of a stream; see schedule.h.
#include "src/stream/schedule.h"

#include <algorithm>
#include <string>

#include "src/base/checked.h"

namespace ctconv {
namespace {

Status no_stream(const Descriptor& desc, const char* argument, std::string value, std::string range, const char* why) {
  return argument_error(Code::UNSUPPORTED_STREAM, argument, std::move(value), std::move(range),
                        desc.dialect + " " + why);
}

}  // namespace

int64_t Schedule::known(int64_t inputs) const {
  return inputs == 0 ? 0 : std::max<int64_t>(0, inputs * stride - delay);
}

Status judge_streamable(const Descriptor& desc) {
  if (desc.rank > 1) {
    return no_stream(desc, "op", std::to_string(desc.rank) + " spatial axes", "1 spatial axis",
                     "does not run along one axis");
  }
  if (desc.pad_rule != PadRule::kExplicit) {
    return no_stream(desc, desc.spelling.padding.c_str(), "SAME", "explicit pads",
                     "pads by the extent of the whole input");
  }
  if (!desc.output_size.empty() || desc.kernel_source == KernelSource::kOutputSize) {
    return no_stream(desc, desc.spelling.output_size.c_str(), "given", "not given",
                     "was given the extent of the output");
  }
  return {};
}

Result<Schedule> schedule_of(const AxisSizes& a) {
  const Checked reach = Checked(a.d) * (a.k - 1);
  const Checked unsure = Checked(a.s) + a.hi - reach - 1 - a.extra;
  const Checked delay = Checked(a.lo) + std::max<int64_t>(unsure.value(), 0);
  const Checked back = delay - a.lo + reach;
  const Checked far = back + delay;
  if (!unsure.ok() || !far.ok()) {  // a sum of one that does not fit does not fit
    return argument_error(Code::UNSUPPORTED_STREAM, "op", "pads and taps", "sums that fit 63 bits",
                          "the stream would have to remember too many inputs");
  }
  Schedule s{.stride = a.s, .delay = delay.value()};
  s.history = std::max<int64_t>(1, floor_div(back.value(), a.s));
  s.warm_up = std::max<int64_t>({s.history, ceil_div(s.delay, a.s), 1});
  return s;
}

}  // namespace ctconv
