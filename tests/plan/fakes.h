// SPDX-License-Identifier: Apache-2.0
// Engines that do nothing but answer as told: what choosing, packing and tuning are tested with.
#pragma once

#include <cstring>
#include <string>

#include "src/plan/plan.h"
#include "src/plan/tune.h"

namespace ctconv::test {

// What one fake engine answers; set by each test.
struct Script {
  bool refuses = false;
  Bits bits = Bits::kReference;
  double seconds = 1;       // of its model
  double real_seconds = 0;  // slept by run
  size_t scratch = 0, packed = 0;
  std::string packing = "rows";
  Result<bool> (*pack)() = nullptr;
  bool looks_at_input = false, honours_input = true;
  Result<bool> (*looks)() = nullptr;  // instead of honours_input
  int planned = 0, packs = 0, runs = 0;
  double beat = 0;  // seconds it was told to beat when planned last
};

class FakeKernel : public Kernel {
 public:
  FakeKernel(const char* name, Script* script) : name_(name), script_(script) {}
  std::string form() const override { return std::string("fake ") + name_; }
  Bits bits() const override { return script_->bits; }
  double estimated_seconds() const override { return script_->seconds; }
  size_t scratch_bytes() const override { return script_->scratch; }
  size_t packed_bytes() const override { return script_->packed; }
  std::string packing() const override { return script_->packing; }
  Result<bool> pack(const void*, void* packed, const Runner&) const override {
    ++script_->packs;
    if (packed != nullptr) std::memset(packed, 1, script_->packed);
    return script_->pack ? script_->pack() : Result<bool>(true);
  }
  bool looks_at_input() const override { return script_->looks_at_input; }
  Result<bool> honours_input(const Operands&, const Runner&) const override {
    return script_->looks ? script_->looks() : Result<bool>(script_->honours_input);
  }
  Status run(const Operands&, const Runner&) const override;

 private:
  const char* name_;
  Script* script_;
};

inline Script fast_script, slow_script, reference_script;

template <Script* script>
Result<std::unique_ptr<Kernel>> fake_plan(const Problem&, const PlanContext&);

extern const Engine kFast, kSlow, kReference;

// A small dense 1-D problem.
inline Problem small_problem() {
  Problem p;
  p.rank = 1;
  p.ci = 2;
  p.co = 3;
  p.axis[2] = {.i = 5, .o = 11, .k = 3, .s = 2};
  p.x = {10, 5, {0, 0, 1}};
  p.y = {33, 11, {0, 0, 1}};
  p.w = {18, 9, 3, {0, 0, 1}};
  return p;
}

struct Setup {
  const Engine* engines[3] = {&kFast, &kSlow, &kReference};
  float weight[18] = {};
  Allocator allocator;
  PackedStore store;
  PlanRequest request;
  Setup() {
    fast_script = slow_script = reference_script = Script();
    fast_script.bits = Bits::kMachine;
    fast_script.seconds = 1;
    slow_script.seconds = 2;
    reference_script.seconds = 100;
    request.engines = engines;
    request.reference = &kReference;
    request.versions = "ctconv test";
    request.weight = weight;
    request.allocator = &allocator;
    request.store = &store;
  }
  Result<std::shared_ptr<const Plan>> plan() { return make_plan(small_problem(), request); }
};

}  // namespace ctconv::test
