// SPDX-License-Identifier: Apache-2.0
// Audits the choice of `auto`: is it within a tenth of the best engine and form of ours, layer by layer?
//
//   usage: choice_audit [--layers PREFIX,..] [--types f32,bf16,f16] [--layouts first,last] [--threads 1,2]
//                       [--seconds S] [--forms] [--beside-f32] [--out FILE] [--skip N] [--count N]
//   in:    bench/layers.json; every combination of the lists is one row
//   out:   a line for each row where `auto` is behind, a summary; with --out each row as one line of JSON, appended
//   How:   auto, every engine that knows the problem and (--forms) every form of native run by turns, in windows of
//          kWindow. Behind is how much longer auto takes than the best: of medians, or of least times where that is
//          smaller. A row above kBearable is measured a second time, and the smaller answer counts.
//          One thread is timed by its own processor clock, so that other processes hardly matter.
//   --beside-f32: for 16-bit types native in f32 runs beside them; it is no choice, but should not be faster.
//   --seconds: of each contender of a row. --skip, --count: of the layers, to cut an audit into pieces.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "capi/engines.h"
#include "src/base/half.h"
#include "src/base/pool.h"
#include "src/plan/plan.h"
#include "src/plan/workspace.h"
#include "tests/native/forms.h"
#include "tests/rig/layouts.h"

namespace {

using namespace ctconv;
using nlohmann::json;

constexpr double kBearable = 1.1;  // auto's time over the best
constexpr double kWindow = 1e-3;   // seconds of a turn, at least
constexpr double kHopeless = 3;    // times auto's: timed once
constexpr double kMemoryHandicap = 2;
constexpr int kLeastRounds = 3, kMostRounds = 60;

struct Options {
  std::vector<std::string> layers, types = {"f32", "bf16", "f16"}, layouts = {"first", "last"}, threads = {"1", "2"};
  double seconds = 0.05;
  bool forms = false, beside_f32 = false;
  std::string out;
  size_t skip = 0, count = SIZE_MAX;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Of the calling thread on a processor: what runs beside it costs it no time here.
double own_time() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Problem problem_of(const json& j, Dtype type, bool last) {
  Problem p;
  p.types = uniform_types(type);
  p.rank = static_cast<int>(j["in"].size());
  p.n = j["n"];
  p.groups = j["g"];
  p.ci = j["cin"].get<int64_t>() / p.groups;
  p.co = j["cout"].get<int64_t>() / p.groups;
  p.epilogue.bias = j["bias"];
  for (size_t a = 0; a < j["in"].size(); ++a) {
    Axis& axis = p.axis[3 - j["in"].size() + a];
    axis.i = j["in"][a];
    axis.k = j["k"][a];
    axis.s = j["s"][a];
    axis.d = j["d"][a];
    axis.lo = j["p_begin"][a];
    axis.o = (axis.i - 1) * axis.s + axis.d * (axis.k - 1) + 1 - axis.lo - j["p_end"][a].get<int64_t>() +
             j["op"][a].get<int64_t>();
  }
  rig::lay_out(&p, last, last);
  return p;
}

// Memory that is reused from row to row and only grows: fresh pages would be part of every first call.
class Reused {
 public:
  void* of(size_t bytes) {
    if (bytes + kAlignment > memory_.size()) memory_.assign(bytes + kAlignment, 0);
    return align_up(memory_.data());
  }

 private:
  std::vector<uint8_t> memory_;
};

// Values in [-1, 1), none of them subnormal in any type.
void fill(void* to, Dtype type, int64_t count, uint64_t seed) {
  for (int64_t k = 0; k < count; ++k) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const float v = static_cast<float>(static_cast<int32_t>(seed >> 40) - (1 << 23)) * 0x1p-23f + 0x1p-12f;
    if (type == Dtype::kF32) {
      static_cast<float*>(to)[k] = v;
    } else {
      static_cast<uint16_t*>(to)[k] = type == Dtype::kF16 ? f32_to_f16(v) : f32_to_bf16(v);
    }
  }
}

struct Tensors {
  Reused x, w, bias, y;

  RunMemory of(const Problem& p) {
    RunMemory m;
    m.x = x.of(static_cast<size_t>(p.in_elements()) * size_of(p.types.x));
    m.w = w.of(static_cast<size_t>(p.weight_elements()) * size_of(p.types.w));
    m.bias = bias.of(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
    m.y = y.of(static_cast<size_t>(p.out_elements()) * size_of(p.types.y));
    fill(m.x, p.types.x, p.in_elements(), 1);
    fill(m.w, p.types.w, p.weight_elements(), 2);
    fill(m.bias, p.types.accumulator, p.groups * p.co, 3);
    if (!p.epilogue.bias) m.bias = nullptr;
    return m;
  }
};

// One plan that is timed.
struct Contender {
  std::string name;
  bool choice = true;   // auto could have taken it
  double handicap = 1;  // times longer it counts, as in src/plan/plan.cpp: it borrows more than scratch_budget
  std::shared_ptr<const Plan> plan;
  PackedStore store;
  Reused workspace;
  RunMemory memory;
  Runner runner;
  double first = 0, guess = 0;  // seconds of creation and first call; of a call
  std::vector<double> samples;
  bool once = false;

  std::string form() const { return plan->kernel->form(); }
  double seconds() const { return median(samples); }
  double least() const { return *std::min_element(samples.begin(), samples.end()); }

  double time(int calls) {
    const auto clock = runner.workers() == 1 ? &own_time : &now;
    const double start = clock();
    for (int k = 0; k < calls; ++k) {
      if (!run_plan(*plan, memory, runner).ok()) std::abort();
    }
    return (clock() - start) / calls;
  }
  void turn() {
    const int calls = static_cast<int>(std::clamp(std::ceil(kWindow / guess), 1.0, 1000.0));
    samples.push_back(time(calls));
    guess = std::min(guess, samples.back());
  }
};

using Contenders = std::vector<std::unique_ptr<Contender>>;

// Null where the engine refuses.
std::unique_ptr<Contender> contender(const std::string& name, std::span<const Engine* const> engines, const Problem& p,
                                     const RunMemory& memory, int32_t threads) {
  static const Allocator heap;
  auto c = std::make_unique<Contender>();
  c->name = name;
  c->memory = memory;
  c->runner = pool_runner(threads);
  PlanRequest request;
  request.engines = engines;
  request.reference = reference_engine();
  request.engine = name;
  request.context.threads = threads;
  request.weight = memory.w;
  request.allocator = &heap;
  request.store = &c->store;
  request.runner = c->runner;
  const double start = now();
  auto plan = make_plan(p, request);
  if (!plan.ok()) return nullptr;
  c->plan = *plan;
  c->memory.workspace = c->workspace.of(c->plan->workspace_bytes());
  const auto scratch = static_cast<double>(c->plan->kernel->scratch_bytes());
  if (scratch > scratch_budget(p, threads)) c->handicap = kMemoryHandicap;
  c->guess = c->time(1);
  c->first = now() - start;
  return c;
}

// Auto first, then all that it did not take.
Contenders contenders_of(const Options& o, const Problem& p, const RunMemory& memory, int32_t threads) {
  using namespace native_test;
  Contenders all;
  all.push_back(contender("auto", cpu_engines(), p, memory, threads));
  std::vector<std::string> forms = {all[0]->form()};
  const auto add = [&](const Engine* engine) {
    const Engine* const one[] = {engine};
    auto c = contender(engine->name, one, p, memory, threads);
    if (c == nullptr || std::find(forms.begin(), forms.end(), c->form()) != forms.end()) return;
    forms.push_back(c->form());
    all.push_back(std::move(c));
  };
  for (const Engine* engine : cpu_engines()) {
    if (engine != reference_engine()) add(engine);
  }
  for (const Engine* form : {&kPositions, &kChannels, &kMerged, &kDepthwise, &kRows, &kTurned, &kTaps}) {
    if (o.forms) add(form);
  }
  return all;
}

void measure(const Options& o, const Contenders& all) {
  for (const auto& c : all) {
    c->samples.clear();
    c->guess = std::min(c->guess, c->time(1));
    c->once = c->guess > kHopeless * all[0]->guess && c->guess > kWindow;
    if (c->once) c->samples = {c->guess};
  }
  const double start = now(), budget = o.seconds * static_cast<double>(all.size());
  for (int round = 0; round < kMostRounds && (round < kLeastRounds || now() - start < budget); ++round) {
    for (const auto& c : all) {
      if (!c->once) c->turn();
    }
  }
}

// The best choice, and how much longer auto takes: of medians or of least times, whichever is smaller.
struct Verdict {
  const Contender* best = nullptr;
  double behind = 1;
};
Verdict verdict_of(const Contenders& all) {
  Verdict v;
  for (const auto& c : all) {
    const bool better = v.best == nullptr || c->seconds() * c->handicap < v.best->seconds() * v.best->handicap;
    if (c->choice && better) v.best = c.get();
  }
  const double times = all[0]->handicap / v.best->handicap;
  v.behind = times * std::min(all[0]->seconds() / v.best->seconds(), all[0]->least() / v.best->least());
  return v;
}

json row_of(const Contenders& all, const Verdict& v) {
  json row = {{"took", all[0]->plan->engine->name}, {"best", v.best->name}, {"behind", v.behind}};
  for (const auto& c : all) {
    row["contenders"][c->name] = {{"ms", c->seconds() * 1e3},
                                  {"least_ms", c->least() * 1e3},
                                  {"estimated_ms", c->plan->kernel->estimated_seconds() * 1e3},
                                  {"first_ms", c->first * 1e3},
                                  {"workspace", c->plan->workspace_bytes()},
                                  {"form", c->form()}};
  }
  return row;
}

class Audit {
 public:
  explicit Audit(const Options& o) : o_(o) {}

  void layer(const json& j) {
    for (const std::string& type : o_.types) {
      for (const std::string& layout : o_.layouts) {
        const Problem p = problem_of(j,
                                     type == "f32"   ? Dtype::kF32
                                     : type == "f16" ? Dtype::kF16
                                                     : Dtype::kBf16,
                                     layout == "last");
        const RunMemory memory = tensors_.of(p);
        for (const std::string& threads : o_.threads) {
          json row = one(j, p, memory, std::stoi(threads), layout == "last");
          row.update({{"layer", j["id"]}, {"type", type}, {"layout", layout}, {"threads", std::stoi(threads)}});
          note(row, type + " " + layout + " " + threads);
        }
      }
    }
  }

  void summary() const {
    for (const auto& [name, ratios] : ratios_) {
      double logs = 0;
      for (double r : ratios) logs += std::log(r);
      const auto over = std::count_if(ratios.begin(), ratios.end(), [](double r) { return r > kBearable; });
      std::printf("%s: %zu rows, %zd more than a tenth behind, geometric mean %.3f, worst %.2f\n", name.c_str(),
                  ratios.size(), static_cast<ptrdiff_t>(over), std::exp(logs / static_cast<double>(ratios.size())),
                  *std::max_element(ratios.begin(), ratios.end()));
    }
  }

 private:
  json one(const json& j, const Problem& p, const RunMemory& memory, int32_t threads, bool last) {
    Contenders all = contenders_of(o_, p, memory, threads);
    if (o_.beside_f32 && size_of(p.types.x) == 2) {
      const Problem wide = problem_of(j, Dtype::kF32, last);
      const Engine* const native[] = {&kNativeEngine};
      auto c = contender("native", native, wide, wide_.of(wide), threads);
      if (c != nullptr) {
        c->name = "f32";
        c->choice = false;
        all.push_back(std::move(c));
      }
    }
    measure(o_, all);
    Verdict v = verdict_of(all);
    json row = row_of(all, v);
    if (v.behind <= kBearable) return row;
    measure(o_, all);
    v = verdict_of(all);
    return v.behind < row["behind"].get<double>() ? row_of(all, v) : row;
  }

  void note(const json& row, const std::string& kind) {
    const double behind = row["behind"];
    ratios_[kind].push_back(behind);
    if (behind > kBearable) {
      const auto& all = row["contenders"];
      const std::string best = row["best"], took = row["took"], layer = row["layer"];
      std::printf("%-20s %-12s %5.2f  took %s %.3f (estimated %.3f), %s %.3f (estimated %.3f)\n", layer.c_str(),
                  kind.c_str(), behind, took.c_str(), all["auto"]["ms"].get<double>(),
                  all["auto"]["estimated_ms"].get<double>(), best.c_str(), all[best]["ms"].get<double>(),
                  all[best]["estimated_ms"].get<double>());
      std::fflush(stdout);
    }
    if (!o_.out.empty()) std::ofstream(o_.out, std::ios::app) << row.dump() << '\n';
  }

  const Options& o_;
  Tensors tensors_, wide_;
  std::map<std::string, std::vector<double>> ratios_;
};

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) out.push_back(word);
  return out;
}

bool read(int argc, char** argv, Options* o) {
  for (int k = 1; k < argc; ++k) {
    const std::string name = argv[k];
    if (name == "--forms") {
      o->forms = true;
      continue;
    }
    if (name == "--beside-f32") {
      o->beside_f32 = true;
      continue;
    }
    if (k + 1 == argc) return false;
    const std::string value = argv[++k];
    if (name == "--layers") {
      o->layers = words(value);
    } else if (name == "--types") {
      o->types = words(value);
    } else if (name == "--layouts") {
      o->layouts = words(value);
    } else if (name == "--threads") {
      o->threads = words(value);
    } else if (name == "--seconds") {
      o->seconds = std::stod(value);
    } else if (name == "--out") {
      o->out = value;
    } else if (name == "--skip") {
      o->skip = std::stoul(value);
    } else if (name == "--count") {
      o->count = std::stoul(value);
    } else {
      return false;
    }
  }
  return true;
}

bool wanted(const Options& o, const std::string& id) {
  return o.layers.empty() ||
         std::any_of(o.layers.begin(), o.layers.end(), [&](const std::string& l) { return id.rfind(l, 0) == 0; });
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!read(argc, argv, &o)) {
    std::fprintf(stderr, "usage: see the top of tests/choice/audit.cpp\n");
    return 2;
  }
  const PoolHold pool;
  Audit audit(o);
  std::ifstream file(CTCONV_SOURCE_DIR "/bench/layers.json");
  size_t index = 0;
  for (const json& j : json::parse(file)) {
    if (!wanted(o, j["id"])) continue;
    if (index >= o.skip && index - o.skip < o.count) audit.layer(j);
    ++index;
  }
  audit.summary();
  return 0;
}
