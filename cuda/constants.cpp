// SPDX-License-Identifier: Apache-2.0
// Measured numbers against the data sheet, and what is kept per device: see constants.h.
#include "cuda/constants.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "src/base/number.h"

namespace ctconv::cuda {
namespace {

constexpr double kLeast = 0.2, kMost = 1.5, kMostLaunch = 4;
constexpr double kStep = 1.0 / 16;

// Decides one number and says which it was where it is not the measured one.
class Settling {
 public:
  double take(const char* name, double measured, double sheet, double most) {
    const double ratio = sheet > 0 ? measured / sheet : 0;
    if (!(measured > 0)) {
      note(std::string(name) + " not measured");
    } else if (!(ratio >= kLeast && ratio <= most)) {
      note(std::string(name) + " measured as " + show_general(ratio, 3) + " of the data sheet");
    } else {
      ++taken_;
      return sheet * std::max(kStep, std::round(ratio / kStep) * kStep);
    }
    ++left_;
    return sheet;
  }
  int taken() const { return taken_; }
  int left() const { return left_; }
  const std::string& notes() const { return notes_; }

 private:
  void note(const std::string& text) { notes_ += (notes_.empty() ? "" : ", ") + text; }
  int taken_ = 0, left_ = 0;
  std::string notes_;
};

std::string with_unit(double value, double unit, const char* name) {
  return show_general(value / unit, 4) + " " + name;
}

std::string numbers_of(const DeviceModel& m) {
  return with_unit(m.bytes_per_second, 1e9, "GB/s") + ", f32 " + with_unit(m.f32, 1e12, "TFLOP/s") + ", f64 " +
         show_general(m.f64 / 1e12, 3) + ", TF32 " + show_general(m.tf32 / 1e12, 3) + ", f16 " +
         show_general(m.f16 / 1e12, 3) + ", launch " + with_unit(m.launch_seconds, 1e-6, "us");
}

// The numbers as they were read, before rounding.
std::string raw_of(const Measured& r) {
  std::string t;
  if (r.copy > 0) {
    t += "; copy " + show_general(r.copy / 1e9, 4) + ", read " + show_general(r.read / 1e9, 4) + ", write " +
         with_unit(r.write, 1e9, "GB/s") + " over " + std::to_string(r.buffer_bytes >> 20) + " MiB";
    if (r.buffer_bytes <= 4 * r.l2_bytes) t += " (below 4 x L2)";
  }
  if (r.enqueue_seconds > 0) t += "; enqueue " + with_unit(r.enqueue_seconds, 1e-6, "us");
  return t;
}

}  // namespace

Constants settle(const DeviceModel& sheet, const Measured& measured) {
  Constants c;
  c.model = sheet;
  Settling s;
  c.model.bytes_per_second = s.take("bandwidth", measured.copy, sheet.bytes_per_second, kMost);
  c.model.f32 = s.take("f32", measured.f32, sheet.f32, kMost);
  c.model.f64 = s.take("f64", measured.f64, sheet.f64, kMost);
  c.model.tf32 = s.take("TF32", measured.tf32, sheet.tf32, kMost);
  c.model.f16 = s.take("f16", measured.f16, sheet.f16, kMost);
  c.model.launch_seconds = s.take("launch", measured.launch_seconds, sheet.launch_seconds, kMostLaunch);
  if (s.taken() == 0) {
    const std::string& reason = measured.failure.empty() ? s.notes() : measured.failure;
    c.text = "data sheet (" + reason + "): " + numbers_of(c.model);
    return c;
  }
  c.text = "measured in " + show_fixed(1e3 * measured.seconds, 1) + " ms: " + numbers_of(c.model) + raw_of(measured);
  if (s.left() != 0) {
    c.text += "; by data sheet: " + s.notes();
    if (!measured.failure.empty()) c.text += " (" + measured.failure + ")";
  }
  return c;
}

size_t probe_bytes(size_t l2_bytes, size_t free_bytes) {
  constexpr size_t kMiB = size_t{1} << 20;
  const size_t wanted = std::clamp((4 * l2_bytes / (16 * kMiB) + 1) * (16 * kMiB), 64 * kMiB, 1024 * kMiB);
  const size_t bytes = std::min(wanted, free_bytes / 4 / kMiB * kMiB);
  return bytes >= std::max(2 * l2_bytes, 16 * kMiB) ? bytes : 0;
}

int probe_rounds(double flop_of_round, double rate, double seconds) {
  if (!(flop_of_round > 0) || !(rate > 0)) return 1;
  return static_cast<int>(std::clamp(rate * seconds / flop_of_round, 1.0, 1e6));
}

Result<const Constants*> device_constants(int32_t ordinal) {
  // Leaked on purpose: plans may be made by other static constructors and destructors.
  static std::mutex* mutex = new std::mutex;
  static auto* known = new std::map<int32_t, std::unique_ptr<const Constants>>;
  const std::lock_guard lock(*mutex);
  std::unique_ptr<const Constants>& mine = (*known)[ordinal];
  if (!mine) {
    Result<DeviceModel> sheet = device_model(ordinal);
    if (!sheet.ok()) return sheet.take_status();
    mine = std::make_unique<const Constants>(settle(*sheet, measure_constants(*sheet)));
  }
  return mine.get();
}

}  // namespace ctconv::cuda
