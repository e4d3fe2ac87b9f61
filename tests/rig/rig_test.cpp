// SPDX-License-Identifier: Apache-2.0
// The bench itself: it draws every field, its definition is the equation's, and it sees what an engine may not do.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <functional>
#include <map>
#include <set>

#include "capi/engines.h"
#include "src/problem/fields.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// Every value that each field took.
struct Seen {
  std::map<std::string, std::set<std::vector<double>>> values;
  void add(const std::string& key, std::vector<double> v) { values[key].insert(std::move(v)); }
  static double number(int64_t v) { return static_cast<double>(v); }

  void operator()(const char* key, const Written& v) { add(key, {number(static_cast<int64_t>(v))}); }
  void operator()(const char* key, const Types& v) {
    std::vector<double> list;
    for (const Dtype t : {v.x, v.w, v.y, v.accumulator}) list.push_back(number(static_cast<int64_t>(t)));
    add(key, list);
  }
  void operator()(Rank, const int& v) { add("rank", {number(v)}); }
  void operator()(const char* key, const SizeField<const int64_t>& v) { add(key, {number(v.value)}); }
  void operator()(const char* key, const AxisField<const std::array<Axis, 3>>& v) {
    for (const Axis& a : v.axes) add(key, {number(a.*v.member)});
  }
  void operator()(const char* key, const ActivationLayout& v) {
    add(key, {number(v.n), number(v.c), number(v.axis[0]), number(v.axis[1]), number(v.axis[2])});
  }
  void operator()(const char* key, const WeightLayout& v) { add(key, {number(v.g), number(v.ci), number(v.co)}); }
  void operator()(const char* key, const bool& v) { add(key, {number(v)}); }
  void operator()(const char* key, const Rescale& v) { add(key, {v.scale, v.zero_point}); }
  void operator()(const char* key, const Activation& v) { add(key, {number(v.kind), v.alpha, v.beta}); }
};

Limits everything() {
  Limits limits;
  limits.written = {std::begin(kEveryWritten), std::end(kEveryWritten)};
  limits.far = 20;
  limits.empty = limits.rescale = true;
  limits.products = 3000;
  return limits;
}

// A kernel of one act after the right numbers.
using Act = std::function<void(const Problem&, const Operands&)>;
Act g_act;
size_t g_scratch = 0;

class Acting final : public Kernel {
 public:
  explicit Acting(const Problem& p) : p_(p) {}
  std::string form() const override { return "acting"; }
  Bits bits() const override { return Bits::kStable; }
  double estimated_seconds() const override { return 1; }
  size_t packed_bytes() const override { return 40; }
  size_t scratch_bytes() const override { return g_scratch; }
  Status run(const Operands& m, const Runner&) const override {
    const Operand read{m.x, m.w, m.y, m.bias};
    const Numbers right = defined(p_, read);
    void* written = p_.written == Written::kY ? m.y : p_.written == Written::kX ? m.x : m.w;
    size_t next = 0;
    each_element(p_, p_.written, [&](const Element& e) {
      store(written, type_of(p_, p_.written), place_of(p_, p_.written, e), right.values[next++]);
    });
    g_act(p_, m);
    return {};
  }

 private:
  Problem p_;
};

Result<std::unique_ptr<Kernel>> make_acting(const Problem& p, const PlanContext&) {
  return std::unique_ptr<Kernel>(std::make_unique<Acting>(p));
}
const Engine kActing{"acting", Bits::kStable, {kEveryWritten, kFloatTypes, true, true}, make_acting};
const Engine kBoasting{"boasting", Bits::kMachine, {kEveryWritten, kFloatTypes, true, true}, make_acting};

// Rows of y with a gap behind each.
Case small_case(Written written = Written::kY) {
  Problem p;
  p.written = written;
  p.ci = 2;
  p.axis[2] = {.i = 4, .o = 9, .k = 3, .s = 2};
  lay_out(&p, false, false);
  p.y.axis[2] = 2;
  Rng rng(3);
  return make_case(p, rng, Values::kSmallInteger);
}

std::string fault_of(Act act, const Case& c = small_case(), const Engine& engine = kActing) {
  g_act = std::move(act);
  return run(engine, c).fault;
}

// True where a process that runs the act on either end of its memory is ended by it.
bool deadly(const Act& act, const Case& c = small_case()) {
  int ended = 0;
  for (int turn = 0; turn < 2; ++turn) {
    const pid_t child = fork();
    if (child == 0) {
      for (const int s : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(s, SIG_DFL);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(0);
      for (int k = 0; k <= turn; ++k)
        fault_of(
            k == turn ? act : [](const Problem&, const Operands&) {}, c);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ended += !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  return ended > 0;
}

volatile float g_sink;

}  // namespace

TEST_CASE("rig: every field is drawn") {
  Rng rng(71);
  Seen seen;
  for (int round = 0; round < 3000; ++round) {
    const Problem p = random_problem(rng, everything());
    fields(p, seen);
  }
  for (const auto& [key, values] : seen.values) {
    INFO(key);
    CHECK(values.size() >= (key == "bias" ? 2 : key == "written" || key == "rank" ? 3 : 4));
  }
  CHECK(seen.values.size() == 20);
  CHECK(*seen.values["lo"].begin()->begin() < -10);
  CHECK(*seen.values["lo"].rbegin()->begin() > 50);
}

TEST_CASE("rig: what is written never overlaps itself, and a gradient has no epilogue but its bias") {
  Rng rng(72);
  for (int round = 0; round < 2000; ++round) {
    const Problem p = random_problem(rng, everything());
    INFO(to_text(p));
    std::set<int64_t> places;
    each_element(p, p.written, [&](const Element& e) { places.insert(place_of(p, p.written, e)); });
    REQUIRE(static_cast<int64_t>(places.size()) == p.written_elements());
    const Epilogue& e = p.epilogue;
    if (p.written != Written::kY) REQUIRE((e.rescale.identity() && e.activation.kind == Activation::kNone));
    if (p.written == Written::kX) REQUIRE_FALSE(e.bias);
  }
}

TEST_CASE("rig: inputs, taps and outputs meet by the equation alone") {
  Rng rng(73);
  for (int round = 0; round < 500; ++round) {
    const Axis a = random_problem(rng, everything()).axis[2];
    std::set<std::vector<int64_t>> by_scan, by_y, by_x, by_w;
    for (int64_t i = 0; i < a.i; ++i) {
      for (int64_t t = 0; t < a.k; ++t) {
        for (int64_t o = 0; o < a.o; ++o) {
          if (i * a.s + t * a.d - a.lo == o) by_scan.insert({i, t, o});
        }
      }
    }
    const auto add = [](std::set<std::vector<int64_t>>* to, const std::vector<Met>& list) {
      for (const Met& m : list) to->insert({m.i, m.t, m.o});
    };
    for (int64_t o = 0; o < a.o; ++o) add(&by_y, met_at(a, Written::kY, o));
    for (int64_t i = 0; i < a.i; ++i) add(&by_x, met_at(a, Written::kX, i));
    for (int64_t t = 0; t < a.k; ++t) add(&by_w, met_at(a, Written::kW, t));
    REQUIRE(by_y == by_scan);
    REQUIRE(by_x == by_scan);
    REQUIRE(by_w == by_scan);
  }
}

TEST_CASE("rig: a sum of chains is closed at each 4096th place, a left out place counts") {
  const auto summed = [](std::initializer_list<std::pair<int64_t, double>> terms) {
    Sum<float> sum(4096);
    for (const auto& [place, value] : terms) sum.add(place, value, 1);
    return sum.total();
  };
  const double tiny = 0x1p-24;  // half of an ulp of 1
  CHECK(summed({{0, 1}, {1, tiny}, {2, tiny}}) == 1);
  CHECK(summed({{0, 1}, {4096, tiny}, {4097, tiny}}) == 1 + 2 * static_cast<float>(tiny));
  CHECK(summed({{4094, 1}, {4095, tiny}, {8190, tiny}}) == 1);
}

TEST_CASE("rig: what an engine may not do is a fault") {
  CHECK(fault_of([](const Problem&, const Operands&) {}) == "");
  const Act gap = [](const Problem&, const Operands& m) { static_cast<float*>(m.y)[3] = 0; };
  CHECK(fault_of(gap) == "wrote between the elements that are its own, at 3");
  g_scratch = 100;
  const Act past = [](const Problem&, const Operands& m) { static_cast<char*>(m.scratch)[100] = 0; };
  CHECK(fault_of(past) == "wrote beside its scratch memory");
  CHECK(fault_of(past) == "wrote beside its scratch memory");
  g_scratch = 0;
  const Act weights = [](const Problem& p, const Operands& m) { static_cast<float*>(m.w)[p.weight_elements()] = 0; };
  CHECK(deadly(weights, small_case(Written::kW)));
  CHECK(fault_of([](const Problem&, const Operands&) {}, small_case(), kBoasting) != "");
}

TEST_CASE("rig: what is only read is read-only, and nothing lies behind it") {
  CHECK_FALSE(deadly([](const Problem&, const Operands&) {}));
  CHECK(deadly([](const Problem&, const Operands& m) { static_cast<float*>(m.x)[0] = 0; }));
  CHECK(deadly([](const Problem&, const Operands& m) { static_cast<float*>(m.w)[0] = 0; }));
  CHECK(deadly([](const Problem&, const Operands& m) { *static_cast<char*>(const_cast<void*>(m.packed)) = 0; }));
  CHECK(deadly([](const Problem&, const Operands& m) { static_cast<float*>(m.y)[0] = 0; }, small_case(Written::kX)));
  CHECK(deadly([](const Problem&, const Operands& m) { g_sink = static_cast<float*>(m.x)[8]; }));
  CHECK(deadly([](const Problem&, const Operands& m) { g_sink = static_cast<float*>(m.y)[-1]; }));
}

TEST_CASE("rig: an element that is wrong or left out differs from the definition") {
  const Case c = small_case();
  const Numbers want = defined(c.p, c.operand());
  g_act = [](const Problem&, const Operands&) {};
  CHECK(difference(run(kActing, c).written, want) == "");
  g_act = [](const Problem&, const Operands& m) { static_cast<float*>(m.y)[4] += 1; };
  CHECK(difference(run(kActing, c).written, want).rfind("element 2 is ", 0) == 0);
}
