// SPDX-License-Identifier: Apache-2.0
// See stage.h.
#include "tests/rig/stage.h"

#include <algorithm>
#include <cstring>

#include "src/base/memory.h"

namespace ctconv::rig {
namespace {

constexpr uint8_t kPoison = 0xa5;
constexpr uint8_t kNoNumber = 0xff;

}  // namespace

Stage& Stage::of_this_thread() {
  static thread_local Stage one;
  return one;
}

void Stage::place(const Case& c) {
  const Problem& p = c.p;
  at_end_ = !at_end_;
  for (const Written operand : kEveryWritten) {
    const bool read = operand != p.written;
    const Span span = span_of(p, operand);
    const size_t size = size_of(type_of(p, operand));
    const Memory& given = c.memory(operand);
    const size_t bytes = read ? given.bytes.size() : static_cast<size_t>(span.elements()) * size;
    Arena& arena = operands_[static_cast<size_t>(operand)];
    void* memory = fill(arena, bytes, 1, kPoison);
    if (read) {
      std::copy(given.bytes.begin(), given.bytes.end(), static_cast<uint8_t*>(memory));
      arena.read_only();
    }
    const int64_t origin = read ? given.origin : span.none ? 0 : -span.low;
    base_[static_cast<size_t>(operand)] = memory;
    first_[static_cast<size_t>(operand)] = static_cast<char*>(memory) + origin * static_cast<int64_t>(size);
  }
  const auto biases = static_cast<size_t>(written_biases(p)) * size_of(p.types.accumulator);
  bias_memory_ = fill(bias_, biases != 0 ? biases : c.bias.size(), 1, kPoison);
  if (written_biases(p) == 0) {
    if (!c.bias.empty()) std::memcpy(bias_memory_, c.bias.data(), c.bias.size());
    bias_.read_only();
  }
}

void Stage::narrow_bias(const Case& c) {
  const Problem& p = c.p;
  const auto count = static_cast<int64_t>(c.bias.size() / size_of(p.types.accumulator));
  bias_memory_ = fill(bias_, static_cast<size_t>(count) * size_of(p.types.y), 1, kPoison);
  for (int64_t k = 0; k < count; ++k) {
    store(bias_memory_, p.types.y, k, load(c.bias.data(), p.types.accumulator, k));
  }
  bias_.read_only();
}

void* Stage::packed(size_t bytes) { return fill(packed_, bytes, kAlignment, kNoNumber); }
void* Stage::scratch(size_t bytes, size_t alignment) { return fill(scratch_, bytes, alignment, kNoNumber); }

void* Stage::fill(Arena& arena, size_t bytes, size_t alignment, uint8_t value) const {
  void* memory = arena.place(bytes, alignment, at_end_);
  std::memset(memory, value, bytes);
  return memory;
}

void Stage::zeros(const Problem& p, int64_t origin, std::vector<bool>* ours, std::string* fault) const {
  Point whole = extents(p, Written::kY);
  for (size_t a = 0; a < 3; ++a) whole[a] += p.axis[a].tail;
  for (int64_t plane = 0; plane < p.n * p.groups * p.co; ++plane) {
    each_point(whole, [&](const Point& o) {
      if (o[0] < p.axis[0].o && o[1] < p.axis[1].o && o[2] < p.axis[2].o) return;
      const int64_t at = place_in_y(p, plane / (p.groups * p.co), plane % (p.groups * p.co), o);
      (*ours)[static_cast<size_t>(origin + at)] = true;
      if (bits_of(operand(Written::kY), p.types.y, at) != 0) *fault = "the tail is not 0";
    });
  }
}

void Stage::untouched(const Problem& p, int64_t origin, const std::vector<bool>& ours, std::string* fault) const {
  const auto* bytes = static_cast<const uint8_t*>(base_[static_cast<size_t>(p.written)]);
  const size_t size = size_of(type_of(p, p.written));
  const auto poisoned = [](uint8_t v) { return v == kPoison; };
  for (size_t k = 0; k < ours.size(); ++k) {
    if (ours[k] || std::all_of(bytes + k * size, bytes + (k + 1) * size, poisoned)) continue;
    *fault = "wrote between the elements that are its own, at " + std::to_string(static_cast<int64_t>(k) - origin);
  }
}

Numbers Stage::written(const Problem& p, bool tail, std::string* fault) const {
  Numbers out;
  const Dtype t = type_of(p, p.written);
  const Span span = span_of(p, p.written);
  const void* data = operand(p.written);
  std::vector<bool> ours(static_cast<size_t>(span.elements()));
  const int64_t origin = span.none ? 0 : -span.low;
  each_element(p, p.written, [&](const Element& e) {
    const int64_t at = place_of(p, p.written, e);
    out.add(data, t, at);
    ours[static_cast<size_t>(origin + at)] = true;
  });
  if (tail) zeros(p, origin, &ours, fault);
  untouched(p, origin, ours, fault);
  for (int64_t c = 0; c < written_biases(p); ++c) out.add(bias_memory_, p.types.accumulator, c);
  if (!operands_[static_cast<size_t>(p.written)].intact() || !bias_.intact()) *fault = "wrote beside what it writes";
  if (!packed_.intact()) *fault = "wrote beside the packed weight";
  if (!scratch_.intact()) *fault = "wrote beside its scratch memory";
  return out;
}

}  // namespace ctconv::rig
