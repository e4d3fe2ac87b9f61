// SPDX-License-Identifier: Apache-2.0
// Median and best time of a repeated action, in seconds; the first call is not counted (it builds the plan).
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace cli {

struct Timing {
  double median = 0, best = 0;
  int runs = 0;
};

// repeat > 0: that many runs. Else at least 3, until `seconds` have passed or 1000 are done.
template <class Action>
Timing measure(Action&& action, int repeat, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); };
  action();
  std::vector<double> times;
  const auto start = Clock::now();
  while (repeat > 0 ? static_cast<int>(times.size()) < repeat
                    : times.size() < 3 || (since(start) < seconds && times.size() < 1000)) {
    const auto t = Clock::now();
    action();
    times.push_back(since(t));
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0], static_cast<int>(times.size())};
}

}  // namespace cli
