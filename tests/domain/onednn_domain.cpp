// SPDX-License-Identifier: Apache-2.0
// Fuzzes oneDNN under guard pages: random problems, forked workers, every fault as one line.
//
//   usage: onednn_domain [--seed S] [--count N] [--first I] [--engine onednn|auto] [--jobs J] [--time SECONDS]
//          [--isa default,avx2,avx512_core,avx512_core_bf16,sse41] [--inside] [--no-domain] [--bytes MAX] [--flop MAX]
//          [--problem TEXT] [--verbose]
//   out:   a line `fault: KIND STAGE seed index isa | problem | what` for each fault, then the counts; exit 1 if any
//   Problem I of seed S is the same on every machine, so a run may stop and go on with --first.
//   --inside draws again until the problem lies in the domain; --no-domain asks oneDNN for everything.
//   A small problem of more than 1 s of processor time is `slow`, one of more than 20 s is ended.
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <thread>
#include <vector>

#include "capi/engines.h"
#include "src/engine/onednn/domain.h"
#include "src/engine/onednn/onednn.h"
#include "src/engine/reference/reference.h"
#include "src/problem/text.h"
#include "tests/domain/problems.h"
#include "tests/domain/tally.h"
#include "tests/domain/trial.h"

namespace {

using namespace ctconv;
using namespace ctconv::domain;

constexpr int64_t kBlock = 400;  // problems of one process
constexpr int kEndlessSeconds = 20, kEndlessExit = 97, kWallSeconds = 300;

struct Options {
  uint64_t seed = 1;
  int64_t first = 0, count = 2000;
  std::string engine = "onednn", problem;
  int jobs = 1;
  double seconds = 1e18;
  std::vector<std::string> isas = {"default"};
  bool inside = false, no_domain = false, verbose = false;
  Budget budget;
};

// What a worker tells its parent while it runs.
struct Slot {
  std::atomic<int64_t> index;
  volatile int stage;
};

struct Worker {
  pid_t pid = 0;
  int64_t next = 0, end = 0, seen = -1;
  size_t isa = 0;
  std::chrono::steady_clock::time_point since;
};

const char* name_of(Stage stage) {
  const char* const names[] = {"draw", "plan", "run", "check"};
  return names[static_cast<int>(stage)];
}

bool set_isa(const std::string& name) {
  dnnl::cpu_isa isa = dnnl::cpu_isa::isa_default;
  if (name == "sse41") isa = dnnl::cpu_isa::sse41;
  if (name == "avx2") isa = dnnl::cpu_isa::avx2;
  if (name == "avx512_core") isa = dnnl::cpu_isa::avx512_core;
  if (name == "avx512_core_bf16") isa = dnnl::cpu_isa::avx512_core_bf16;
  return dnnl::set_max_cpu_isa(isa) == dnnl::status::success;
}

Problem draw(const Options& o, int64_t index) {
  constexpr uint64_t kTries = 64;
  Problem p;
  for (uint64_t k = 0; k < kTries; ++k) {
    p = problem_at(o.seed, static_cast<uint64_t>(index) * kTries + k, o.budget);
    if (!o.inside || onednn::domain_refusal(p).empty()) break;
  }
  return p;
}

void report(const char* kind, const char* stage, const Options& o, int64_t index, size_t isa, const Problem& p,
            const std::string& what) {
  std::printf("fault: %s %s seed %llu index %lld %s | %s | %s\n", kind, stage, static_cast<unsigned long long>(o.seed),
              static_cast<long long>(index), o.isas[isa].c_str(), to_text(p).c_str(), what.c_str());
  std::fflush(stdout);
}

// A second for a small problem; a large one may take what plain loops take.
double allowed_seconds(const Problem& p) {
  const auto elements = static_cast<double>(p.in_elements() + p.out_elements() + p.weight_elements());
  const double products = static_cast<double>(p.in_elements()) * static_cast<double>(p.co * p.taps());
  return 1 + 1e-7 * elements + 2e-9 * products;
}

void one_problem(const Options& o, Bench& bench, int64_t index, size_t isa, const Problem& p, Slot* slot,
                 Tally* tally) {
  static const Engine* const kAnywhere[] = {&onednn::kAnywhereEngine, &kReferenceEngine};
  const auto engines = o.no_domain ? std::span<const Engine* const>(kAnywhere) : cpu_engines();
  const Verdict v = bench.run(p, engines, o.engine.c_str(), o.seed + static_cast<uint64_t>(index), &slot->stage);
  Tally::Counts& counts = tally->isa[isa];
  ++counts.tried;
  if (!onednn::domain_refusal(p).empty()) ++counts.outside;
  if (v.outcome == Outcome::kRefused) {
    ++counts.refused;
  } else {
    ++counts.taken;
    tally->count_form(v.form.substr(0, v.form.find(',')) + " " + ctconv::name_of(p.types.x));
  }
  if (v.outcome == Outcome::kWrong || v.outcome == Outcome::kFailed) {
    ++counts.wrong;
    report("wrong", name_of(static_cast<Stage>(slot->stage)), o, index, isa, p, v.form + ": " + v.why);
  }
  if (v.seconds > allowed_seconds(p)) {
    ++counts.slow;
    report("slow", "run", o, index, isa, p, v.form + v.why + ": " + std::to_string(v.seconds) + " s");
  }
  if (o.verbose) {
    std::printf("%lld %.4f s %s | %s %s\n", static_cast<long long>(index), v.seconds, to_text(p).c_str(),
                v.form.c_str(), v.why.c_str());
  }
}

void limit_processor_time() {
  const itimerval limit = {{0, 0}, {kEndlessSeconds, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

[[noreturn]] void work(const Options& o, const Worker& w, Slot* slot, Tally* tally) {
  signal(SIGPROF, [](int) { _exit(kEndlessExit); });
  if (!set_isa(o.isas[w.isa])) _exit(3);
  Bench bench(static_cast<size_t>(o.budget.bytes));
  for (int64_t index = w.next; index < w.end; ++index) {
    slot->index = index;
    slot->stage = static_cast<int>(Stage::kDraw);
    limit_processor_time();
    one_problem(o, bench, index, w.isa, draw(o, index), slot, tally);
  }
  std::fflush(stdout);
  _exit(0);
}

class Parent {
 public:
  explicit Parent(const Options& o) : o_(o), workers_(static_cast<size_t>(o.jobs)) {
    slots_ = shared<Slot>(workers_.size());
    tally_ = shared<Tally>(1);
  }

  bool run() {
    const auto start = std::chrono::steady_clock::now();
    next_ = o_.first;
    for (;;) {
      const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      bool busy = false;
      for (size_t k = 0; k < workers_.size(); ++k) {
        watch(k);
        if (workers_[k].pid == 0 && passed < o_.seconds) begin(k);
        busy |= workers_[k].pid != 0;
      }
      if (!busy) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return summary();
  }

 private:
  template <class T>
  static T* shared(size_t count) {
    void* p = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? (std::abort(), nullptr) : static_cast<T*>(p);  // zero pages are valid counters
  }

  void begin(size_t k) {
    Worker& w = workers_[k];
    if (w.next >= w.end) {
      const int64_t end = o_.first + o_.count;
      if (next_ >= end) return;
      w.next = next_;
      w.end = next_ = std::min(end, (next_ / kBlock + 1) * kBlock);
      w.isa = static_cast<size_t>(w.next / kBlock) % o_.isas.size();
    }
    slots_[k].index = w.next;
    w.seen = -1;
    std::fflush(stdout);
    w.pid = fork();
    if (w.pid == 0) work(o_, w, &slots_[k], tally_);
    if (w.pid < 0) std::abort();
  }

  void watch(size_t k) {
    Worker& w = workers_[k];
    if (w.pid == 0) return;
    int status = 0;
    if (waitpid(w.pid, &status, WNOHANG) == w.pid) {
      w.pid = 0;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        w.next = w.end;
      } else {
        died(k, status);
      }
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (slots_[k].index != w.seen) {
      w.seen = slots_[k].index;
      w.since = now;
    } else if (now - w.since > std::chrono::seconds(kWallSeconds)) {
      kill(w.pid, SIGKILL);
    }
  }

  void died(size_t k, int status) {
    Worker& w = workers_[k];
    const int64_t index = slots_[k].index;
    const bool endless = (WIFEXITED(status) && WEXITSTATUS(status) == kEndlessExit) ||
                         (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    Tally::Counts& counts = tally_->isa[w.isa];
    ++counts.tried;
    ++counts.taken;
    ++(endless ? counts.endless : counts.crashed);
    const Problem p = draw(o_, index);
    const std::string what = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                 : "exit " + std::to_string(WEXITSTATUS(status));
    report(endless ? "endless" : "crash", name_of(static_cast<Stage>(slots_[k].stage)), o_, index, w.isa, p, what);
    w.next = index + 1;
  }

  bool summary() const {
    int64_t faults = 0;
    for (size_t k = 0; k < o_.isas.size(); ++k) {
      const Tally::Counts& c = tally_->isa[k];
      const auto n = [](const std::atomic<int64_t>& v) { return static_cast<long long>(v); };
      std::printf(
          "counts: engine %s seed %llu isa %s: tried %lld, taken %lld, refused %lld, outside %lld, crashed %lld, "
          "wrong %lld, slow %lld, endless %lld\n",
          o_.engine.c_str(), static_cast<unsigned long long>(o_.seed), o_.isas[k].c_str(), n(c.tried), n(c.taken),
          n(c.refused), n(c.outside), n(c.crashed), n(c.wrong), n(c.slow), n(c.endless));
      faults += c.crashed + c.wrong + c.slow + c.endless;
    }
    for (int64_t k = 0; k < tally_->used; ++k) {
      std::printf("form: %lld %s\n", static_cast<long long>(tally_->forms[k].count), tally_->forms[k].name);
    }
    return faults == 0;
  }

  const Options& o_;
  std::vector<Worker> workers_;
  Slot* slots_;
  Tally* tally_;
  int64_t next_ = 0;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool read(int argc, char** argv, Options* o) {
  for (int k = 1; k < argc; ++k) {
    const std::string name = argv[k];
    if (name == "--inside") {
      o->inside = true;
    } else if (name == "--no-domain") {
      o->no_domain = true;
    } else if (name == "--verbose") {
      o->verbose = true;
    } else if (k + 1 == argc) {
      return false;
    } else {
      const char* value = argv[++k];
      if (name == "--seed") o->seed = std::strtoull(value, nullptr, 10);
      if (name == "--first") o->first = std::atoll(value);
      if (name == "--count") o->count = std::atoll(value);
      if (name == "--engine") o->engine = value;
      if (name == "--jobs") o->jobs = std::max(1, std::atoi(value));
      if (name == "--time") o->seconds = std::atof(value);
      if (name == "--isa") o->isas = split(value);
      if (name == "--bytes") o->budget.bytes = std::atoll(value);
      if (name == "--flop") o->budget.flop = std::atof(value);
      if (name == "--problem") o->problem = value;
    }
  }
  return o->isas.size() <= Tally::kIsas;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read(argc, argv, &options)) {
    std::fprintf(stderr, "onednn_domain: see the opening comment for its options\n");
    return 2;
  }
  if (options.problem.empty()) return Parent(options).run() ? 0 : 1;
  const auto p = problem_from_text(options.problem);
  if (!p.ok() || !set_isa(options.isas[0])) return 2;
  options.verbose = true;
  const auto tally = std::make_unique<Tally>();
  Slot slot{};
  Bench bench(static_cast<size_t>(options.budget.bytes));
  for (int64_t k = 0; k < 16; ++k) one_problem(options, bench, k, 0, *p, &slot, tally.get());
  return tally->isa[0].wrong == 0 ? 0 : 1;
}
