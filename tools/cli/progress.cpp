// SPDX-License-Identifier: Apache-2.0
// A thread of its own draws, since the work itself is one long call into the library.
#include "tools/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace cli {

Progress::Progress(std::string label) : label_(std::move(label)) {
  if (isatty(STDERR_FILENO)) thread_ = std::thread([this] { draw_until_stopped(); });
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  clear();
}

void Progress::step(const std::string& text, double expected) {
  const std::lock_guard lock(mutex_);
  text_ = text;
  expected_ = expected;
  step_ = Clock::now();
}

void Progress::part(size_t done, size_t total) {
  const std::lock_guard lock(mutex_);
  done_ = done;
  total_ = total;
}

std::string Progress::line() const {
  const auto since = [](Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); };
  const double gone = since(begin_);
  if (done_ > 0 && gone > 0) {
    const double rate = static_cast<double>(done_) / gone;
    return fmt::format("{}, {:.2g}/s, {:.0f} s, about {:.0f} s left", text_, rate, gone,
                       static_cast<double>(total_ - done_) / rate);
  }
  if (expected_ <= 0) return fmt::format("{}, {:.0f} s", text_, gone);
  const double left = expected_ - since(step_);
  if (left < 0) return fmt::format("{}, {:.0f} s, longer than the {:.0f} s expected", text_, gone, expected_);
  return fmt::format("{}, {:.0f} s, about {:.0f} s left", text_, gone, left);
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void Progress::draw_until_stopped() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::seconds(2), [this] { return stop_; });
  while (!stop_) {
    std::fprintf(stderr, "\r\033[K  %s: %s", label_.c_str(), line().c_str());
    std::fflush(stderr);
    drawn_ = true;
    wake_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; });
  }
}

}  // namespace cli
