// SPDX-License-Identifier: Apache-2.0
// A thread of its own draws, since the work itself is one long call into the library.
#include "tools/cli/progress.h"

#include <unistd.h>

#include <chrono>
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

void Progress::step(const std::string& text) {
  const std::lock_guard lock(mutex_);
  text_ = text;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void Progress::draw_until_stopped() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::seconds(2), [this] { return stop_; });
  while (!stop_) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count();
    std::fprintf(stderr, "\r\033[K  %s: %s, %lld s", label_.c_str(), text_.c_str(), static_cast<long long>(seconds));
    std::fflush(stderr);
    drawn_ = true;
    wake_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; });
  }
}

}  // namespace cli
